import base64
import hashlib

import pytest

from reelflow.tiktok.pkce import code_challenge, new_code_verifier

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # of RFC 7636, appendix B


def test_the_challenge_is_hex_as_tiktok_wants_it_or_base64url_as_the_rfc_has_it() -> None:
    assert code_challenge(VERIFIER) == hashlib.sha256(VERIFIER.encode()).hexdigest()
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert code_challenge(VERIFIER, encoding="base64url") == challenge
    assert base64.urlsafe_b64decode(challenge + "=").hex() == code_challenge(VERIFIER)


def test_each_verifier_is_new_and_of_allowed_length() -> None:
    verifiers = {new_code_verifier() for _ in range(10)}
    assert len(verifiers) == 10
    for verifier in verifiers:
        assert 43 <= len(verifier) <= 128
        code_challenge(verifier)


@pytest.mark.parametrize("verifier", ["", "a" * 42, "a" * 129, "é" * 50, "a" * 43 + "\n"])
def test_what_is_no_verifier_is_refused_and_not_shown(verifier: str) -> None:
    with pytest.raises(ValueError, match="43 to 128") as caught:
        code_challenge(verifier)
    assert not verifier or verifier not in str(caught.value)
