"""The authorize request's parameters and the proof of PKCE."""

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_simulator.app_settings import AppSettings
from tiktok_simulator.authorization import (
    AuthorizationRequest,
    ReturnAddress,
    check_return_address,
    check_verifier,
    parse_authorization,
)
from tiktok_simulator.exceptions import OAuthError

REDIRECT = "http://localhost:53117/callback/"
GOOD = {
    "client_key": "aw0simulatedapp001",
    "response_type": "code",
    "scope": "user.info.basic,video.publish",
    "redirect_uri": REDIRECT,
    "state": "s1",
    "code_challenge": "0" * 64,
    "code_challenge_method": "S256",
}
VERIFIER = "v" * 43


def parse(app: AppSettings | None = None, **changes: str | None) -> AuthorizationRequest:
    app = app or AppSettings()
    merged = {**GOOD, **changes}
    query = [(name, value) for name, value in merged.items() if value is not None]
    return parse_authorization(query, check_return_address(query, app), app)


def test_a_good_request_is_understood() -> None:
    assert parse() == AuthorizationRequest(
        back=ReturnAddress(REDIRECT, "s1"),
        scopes=("user.info.basic", "video.publish"),
        code_challenge="0" * 64,
        always_asks=False,
    )
    assert parse(disable_auto_auth="1").always_asks


@pytest.mark.parametrize(
    ("changes", "error", "description"),
    [
        ({"client_key": None, "client_id": "x"}, "unauthorized_client", "error_type=client_key"),
        ({"client_key": "other"}, "unauthorized_client", "error_type=client_key"),
        ({"redirect_uri": None}, "invalid_request", "error_type=redirect_uri"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request", "redirect_uri"),
        ({"state": None}, "invalid_request", "error_type=state"),
        ({"state": ""}, "invalid_request", "error_type=state"),
        ({"code_challenge": None}, "invalid_request", "error_type=code_challenge:"),
        ({"code_challenge_method": None}, "invalid_request", "code_challenge_method"),
        ({"code_challenge_method": "plain"}, "invalid_request", "code_challenge_method"),
    ],
)
def test_some_mistakes_are_never_sent_back(
    changes: dict[str, Any], error: str, description: str
) -> None:
    query = [(name, value) for name, value in {**GOOD, **changes}.items() if value is not None]

    with pytest.raises(OAuthError, match=description) as caught:
        check_return_address(query, AppSettings())

    assert caught.value.error == error


def test_a_parameter_sent_twice_is_refused() -> None:
    with pytest.raises(OAuthError, match="state: sent more than once"):
        check_return_address([*GOOD.items(), ("state", "s2")], AppSettings())


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "user.info.basic video.publish"}, "invalid_scope"),
        ({"scope": "user.info.basic,"}, "invalid_scope"),
        ({"scope": "video.list,video.list"}, "invalid_scope"),
        ({"scope": "video.steal"}, "invalid_scope"),
        ({"disable_auto_auth": "yes"}, "invalid_request"),
    ],
)
def test_other_mistakes_go_back_to_the_app(changes: dict[str, Any], error: str) -> None:
    with pytest.raises(OAuthError) as caught:
        parse(**changes)

    assert caught.value.error == error


def test_a_scope_the_app_was_not_granted_is_refused() -> None:
    with pytest.raises(OAuthError, match=r"video\.publish"):
        parse(AppSettings(scopes=("user.info.basic",)))


def test_a_web_app_may_leave_pkce_out() -> None:
    app = AppSettings(app_type="web", redirect_uris=("https://app.example/cb",))

    request = parse(
        app,
        redirect_uri="https://app.example/cb",
        code_challenge=None,
        code_challenge_method=None,
    )

    assert request.code_challenge is None


def hex_challenge(verifier: str) -> str:
    return hashlib.sha256(verifier.encode()).hexdigest()


def base64url_challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@given(
    verifier=st.text(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~",
        min_size=43,
        max_size=128,
    )
)
def test_any_good_verifier_proves_its_own_challenge(verifier: str) -> None:
    check_verifier(hex_challenge(verifier), verifier, "hex")
    check_verifier(base64url_challenge(verifier), verifier, "base64url")
    check_verifier(base64url_challenge(verifier), verifier, "any")


@pytest.mark.parametrize(
    ("challenge", "verifier", "encoding"),
    [
        (base64url_challenge(VERIFIER), VERIFIER, "hex"),
        (hex_challenge(VERIFIER), VERIFIER, "base64url"),
        (hex_challenge(VERIFIER).upper(), VERIFIER, "hex"),
        (hex_challenge(VERIFIER), "w" * 43, "hex"),
        (hex_challenge(VERIFIER), None, "hex"),
        (hex_challenge("v" * 42), "v" * 42, "hex"),
        (hex_challenge("v" * 129), "v" * 129, "hex"),
        (hex_challenge("v" * 42 + "+"), "v" * 42 + "+", "hex"),
    ],
)
def test_a_wrong_proof_is_refused_in_the_words_of_the_platform(
    challenge: str, verifier: str | None, encoding: Any
) -> None:
    with pytest.raises(OAuthError) as caught:
        check_verifier(challenge, verifier, encoding)

    assert caught.value.error == "invalid_request"
    assert caught.value.description == "Code verifier or code challenge is invalid."


def test_a_verifier_without_a_challenge_is_ignored() -> None:
    check_verifier(None, "anything", "hex")
