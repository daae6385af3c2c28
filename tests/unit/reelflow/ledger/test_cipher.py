"""Encryption at rest, down to the bytes on the disk."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.exceptions import ConfigurationError
from reelflow.ledger.cipher import Cipher, generate_key
from reelflow.services.workspace import Workspace
from tests.factories import FERNET_KEY, make_account

TOKEN = "act.a-token-that-nobody-may-read"


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_what_was_encrypted_comes_back(secret: str) -> None:
    cipher = Cipher(FERNET_KEY)
    stored = cipher.encrypt(secret)
    assert cipher.decrypt(stored, what="it") == secret
    assert len(secret) < 4 or secret.encode() not in stored


def test_generated_keys_work_and_differ() -> None:
    first, second = generate_key(), generate_key()
    assert first != second
    Cipher(first)


def test_another_key_is_named_as_the_trouble() -> None:
    stored = Cipher(generate_key()).encrypt(TOKEN)
    with pytest.raises(ConfigurationError, match="the token of x cannot be decrypted: ") as refused:
        Cipher(generate_key()).decrypt(stored, what="the token of x")
    assert refused.value.code == "fernet_key_wrong"
    assert TOKEN not in str(refused.value)


def test_a_changed_secret_is_not_decrypted() -> None:
    cipher = Cipher(FERNET_KEY)
    stored = bytearray(cipher.encrypt(TOKEN))
    stored[-5] ^= 1
    with pytest.raises(ConfigurationError):
        cipher.decrypt(bytes(stored), what="it")


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


def test_a_derived_key_is_another_one_for_each_purpose_and_each_key() -> None:
    first, second = Cipher(generate_key()), Cipher(generate_key())
    keys = {first.derived_key("a"), first.derived_key("b"), second.derived_key("a")}
    assert len(keys) == 3
    assert {len(key) for key in keys} == {32}
    assert first.derived_key("a") in keys
