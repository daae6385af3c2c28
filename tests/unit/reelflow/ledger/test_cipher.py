"""Encryption at rest, down to the bytes on the disk."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from reelflow.exceptions import ConfigurationError
from reelflow.ledger.cipher import Cipher, generate_key
from reelflow.services.workspace import Workspace
from tests.factories import FERNET_KEY, make_account

TOKEN = "act.a-token-that-nobody-may-read"
WHOSE = "access_token open-acme"


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_what_was_encrypted_comes_back(secret: str) -> None:
    cipher = Cipher(FERNET_KEY)
    stored = cipher.encrypt(secret, bound_to=WHOSE)
    assert cipher.decrypt(stored, bound_to=WHOSE, what="it") == secret
    assert len(secret) < 4 or secret.encode() not in stored


def test_generated_keys_work_and_differ() -> None:
    first, second = generate_key(), generate_key()
    assert first != second
    Cipher(first)


def test_another_key_is_named_as_the_trouble() -> None:
    stored = Cipher(generate_key()).encrypt(TOKEN, bound_to=WHOSE)
    with pytest.raises(ConfigurationError, match="the token of x cannot be decrypted: ") as refused:
        Cipher(generate_key()).decrypt(stored, bound_to=WHOSE, what="the token of x")
    assert refused.value.code == "fernet_key_wrong"
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    "other", ["access_token open-north", "refresh_token open-acme", "access_token open-acm", ""]
)
def test_a_secret_that_stands_where_it_was_not_stored_is_not_read(other: str) -> None:
    cipher = Cipher(FERNET_KEY)
    stored = cipher.encrypt(TOKEN, bound_to=WHOSE)
    with pytest.raises(ConfigurationError, match="the token of x is not what was stored") as found:
        cipher.decrypt(stored, bound_to=other, what="the token of x")
    assert found.value.code == "secret_misplaced"
    assert TOKEN not in str(found.value)


@pytest.mark.parametrize(
    "content",
    ["act.bare", '["access_token open-acme"]', '{"a": 1}', '["access_token open-acme", 1]'],
)
def test_what_the_key_opens_but_nobody_stored_is_not_read(content: str) -> None:
    stored = Fernet(FERNET_KEY).encrypt(content.encode())
    with pytest.raises(ConfigurationError, match="is not what was stored for it"):
        Cipher(FERNET_KEY).decrypt(stored, bound_to=WHOSE, what="it")


def test_a_changed_secret_is_not_decrypted() -> None:
    cipher = Cipher(FERNET_KEY)
    stored = bytearray(cipher.encrypt(TOKEN, bound_to=WHOSE))
    stored[-5] ^= 1
    with pytest.raises(ConfigurationError):
        cipher.decrypt(bytes(stored), bound_to=WHOSE, what="it")


@pytest.mark.parametrize("key", ["short", "é" * 44, FERNET_KEY[:-2]])
def test_a_malformed_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a Fernet key") as refused:
        Cipher(key)
    assert key not in str(refused.value)


def test_a_missing_key_says_how_to_make_one() -> None:
    with pytest.raises(ConfigurationError, match="make a key with `reelflow key generate`"):
        Cipher("")


def test_a_cipher_shows_no_key() -> None:
    assert FERNET_KEY not in repr(Cipher(FERNET_KEY))
    assert FERNET_KEY not in repr(vars(Cipher(FERNET_KEY)))


def test_no_byte_of_the_ledger_on_disk_shows_a_token(workspace: Workspace, tmp_path: Path) -> None:
    make_account(workspace, access_token=TOKEN)
    on_disk = b"".join(path.read_bytes() for path in tmp_path.glob("reelflow.db*"))
    assert b"acme" in on_disk
    assert TOKEN.encode() not in on_disk
    assert FERNET_KEY.encode() not in on_disk


def test_a_signature_is_another_one_for_each_purpose_and_each_key() -> None:
    first, second = Cipher(generate_key()), Cipher(generate_key())
    signatures = {
        one.sign("x") for one in (first.signer("a"), first.signer("b"), second.signer("a"))
    }
    assert len(signatures) == 3
    assert first.signer("a").sign("x") in signatures


OLD, NEW = generate_key(), generate_key()


def test_the_first_key_encrypts_and_every_one_opens() -> None:
    stored = Cipher(OLD).encrypt(TOKEN, bound_to=WHOSE)
    both = Cipher(f"{NEW}, {OLD}")
    assert both.number_of_keys == 2
    assert both.decrypt(stored, bound_to=WHOSE, what="it") == TOKEN
    later = both.encrypt(TOKEN, bound_to=WHOSE)
    assert Cipher(NEW).decrypt(later, bound_to=WHOSE, what="it") == TOKEN
    with pytest.raises(ConfigurationError, match="cannot be decrypted"):
        Cipher(OLD).decrypt(later, bound_to=WHOSE, what="it")


def test_a_secret_of_an_older_key_is_encrypted_with_the_first_once() -> None:
    both = Cipher(f"{NEW},{OLD}")
    renewed = both.renew(Cipher(OLD).encrypt(TOKEN, bound_to=WHOSE), what="it")
    assert renewed is not None
    assert Cipher(NEW).decrypt(renewed, bound_to=WHOSE, what="it") == TOKEN
    assert both.renew(renewed, what="it") is None
    with pytest.raises(ConfigurationError, match=r"it cannot be decrypted.*Set the old key too"):
        both.renew(Cipher(generate_key()).encrypt(TOKEN, bound_to=WHOSE), what="it")


@pytest.mark.parametrize(
    "keys", [f"{NEW},short", f"{NEW},", f"{NEW}{OLD}"], ids=["short", "missing", "without a comma"]
)
def test_of_several_keys_the_malformed_one_is_told_by_its_number(keys: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a Fernet key") as refused:
        Cipher(keys)
    assert NEW not in str(refused.value)
    assert ("key 2 of 2" in str(refused.value)) == ("," in keys)
