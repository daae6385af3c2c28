"""Encryption at rest for tokens and upload URLs, with Fernet keys of Reelflow's own."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from reelflow.exceptions import ConfigurationError
from reelflow.ledger.signer import Signer

#: Codes of a secret that cannot be read: of another key, and of another row.
WRONG_KEY: Final = "fernet_key_wrong"
MISPLACED: Final = "secret_misplaced"

#: Of 32 bytes in base64.
_KEY_CHARS: Final = 44


def generate_key() -> str:
    """Return a new key for ``REELFLOW_FERNET_KEY``."""
    return Fernet.generate_key().decode()


class Cipher:
    """Encrypts and decrypts short secrets, each bound to what it is for.

    Fernet proves that a secret was stored with our key, not that it stands where it was stored:
    what it is for is encrypted with it, so that nobody who can write to the ledger has a post go
    out with another account's token (docs/decisions/0008).

    :param keys: Fernet keys, url-safe base64 of 32 bytes each, with commas between them: the first
        encrypts, the others open what was stored before it
    :raises ConfigurationError: a key is missing or malformed
    """

    def __init__(self, keys: str) -> None:
        if not keys:
            raise ConfigurationError(
                "REELFLOW_FERNET_KEY is not set: make a key with `reelflow key generate` and set "
                "it in the environment of every Airflow process",
                code="fernet_key_missing",
            )
        parts = [part.strip() for part in keys.split(",")]
        try:
            fernets = [_fernet(part) for part in parts]
        except ValueError:
            which = f": key {_first_malformed(parts)} of {len(parts)}" if len(parts) > 1 else ""
            raise ConfigurationError(
                f"REELFLOW_FERNET_KEY is not a Fernet key (32 bytes, url-safe base64){which}: make "
                "one with `reelflow key generate`",
                code="fernet_key_malformed",
            ) from None
        self._current, self._all = fernets[0], MultiFernet(fernets)
        self._keys = [base64.urlsafe_b64decode(part) for part in parts]

    @property
    def number_of_keys(self) -> int:
        """How many keys open what is stored."""
        return len(self._keys)

    def signer(self, purpose: str) -> Signer:
        """Return what signs for a purpose, with keys that only holders of ours can compute."""
        return Signer(
            [
                HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(key)
                for key in self._keys
            ]
        )

    def encrypt(self, secret: str, *, bound_to: str) -> bytes:
        """Return the secret, encrypted.

        :param bound_to: what it is, and of whom, such as ``"access_token <open_id>"``; in the clear
            elsewhere, and never changed
        """
        return self._current.encrypt(json.dumps([bound_to, secret]).encode())

    def renew(self, token: bytes, *, what: str) -> bytes | None:
        """Return an encrypted secret, encrypted with the first key; None where it is already.

        :param what: as in :meth:`decrypt`
        :raises ConfigurationError: none of the keys opens it
        """
        try:
            self._current.decrypt(token)
        except InvalidToken:
            pass
        else:
            return None
        try:
            return self._all.rotate(token)
        except InvalidToken:
            raise _wrong_key(what) from None

    def decrypt(self, token: bytes, *, bound_to: str, what: str) -> str:
        """Return the secret in the clear.

        :param bound_to: as it was encrypted
        :param what: what is decrypted, for the error, such as ``"the token of account x"``
        :raises ConfigurationError: it was encrypted with another key, or for something else, or
            tampered with
        """
        try:
            content = self._all.decrypt(token)
        except InvalidToken:
            raise _wrong_key(what) from None
        match _json(content):
            case [str(stored_for), str(secret)] if stored_for == bound_to:
                return secret
        raise ConfigurationError(
            f"{what} is not what was stored for it: its row in the ledger was changed by another "
            "program, or restored from elsewhere. It is not used. Connect the account again with "
            "`reelflow accounts connect`; an upload begins anew once its URL's hour has passed",
            code=MISPLACED,
        )


def _fernet(key: str) -> Fernet:
    # Base64 ends at its first "=": two keys without a comma would be the first of them.
    if len(key) != _KEY_CHARS:
        raise ValueError
    return Fernet(key)


def _first_malformed(keys: Sequence[str]) -> int:
    """Return which of the keys is none, counted from 1."""
    for number, key in enumerate(keys, start=1):
        try:
            _fernet(key)
        except ValueError:
            return number
    raise AssertionError("each of them is one")


def _wrong_key(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what} cannot be decrypted: REELFLOW_FERNET_KEY is not the key it was stored with. Set "
        "the old key too, after the new one and a comma, or connect the account again with "
        "`reelflow accounts connect`",
        code=WRONG_KEY,
    )


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return None
