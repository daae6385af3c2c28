"""Encryption at rest for tokens and upload URLs, with a Fernet key of Reelflow's own."""

from __future__ import annotations

import base64
import json
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from reelflow.exceptions import ConfigurationError

#: Codes of a secret that cannot be read: of another key, and of another row.
WRONG_KEY: Final = "fernet_key_wrong"
MISPLACED: Final = "secret_misplaced"


def generate_key() -> str:
    """Return a new key for ``REELFLOW_FERNET_KEY``."""
    return Fernet.generate_key().decode()


class Cipher:
    """Encrypts and decrypts short secrets, each bound to what it is for.

    Fernet proves that a secret was stored with our key, not that it stands where it was stored:
    what it is for is encrypted with it, so that nobody who can write to the ledger has a post go
    out with another account's token (docs/decisions/0008).

    :param key: the Fernet key, url-safe base64 of 32 bytes
    :raises ConfigurationError: the key is missing or malformed
    """

    def __init__(self, key: str) -> None:
        if not key:
            raise ConfigurationError(
                "REELFLOW_FERNET_KEY is not set: make a key with `reelflow key generate` and set "
                "it in the environment of every Airflow process",
                code="fernet_key_missing",
            )
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise ConfigurationError(
                "REELFLOW_FERNET_KEY is not a Fernet key (32 bytes, url-safe base64): make one "
                "with `reelflow key generate`",
                code="fernet_key_malformed",
            ) from None
        self._key = base64.urlsafe_b64decode(key)

    def derived_key(self, purpose: str) -> bytes:
        """Return 32 bytes that only holders of the key can compute, others for each purpose."""
        derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode())
        return derivation.derive(self._key)

    def encrypt(self, secret: str, *, bound_to: str) -> bytes:
        """Return the secret, encrypted.

        :param bound_to: what it is, and of whom, such as ``"access_token <open_id>"``; in the clear
            elsewhere, and never changed
        """
        return self._fernet.encrypt(json.dumps([bound_to, secret]).encode())

    def decrypt(self, token: bytes, *, bound_to: str, what: str) -> str:
        """Return the secret in the clear.

        :param bound_to: as it was encrypted
        :param what: what is decrypted, for the error, such as ``"the token of account x"``
        :raises ConfigurationError: it was encrypted with another key, or for something else, or
            tampered with
        """
        try:
            content = self._fernet.decrypt(token)
        except InvalidToken:
            raise ConfigurationError(
                f"{what} cannot be decrypted: REELFLOW_FERNET_KEY is not the key it was stored "
                "with. Set the old key again, or connect the account again with `reelflow accounts "
                "connect`",
                code=WRONG_KEY,
            ) from None
        match _json(content):
            case [str(stored_for), str(secret)] if stored_for == bound_to:
                return secret
        raise ConfigurationError(
            f"{what} is not what was stored for it: its row in the ledger was changed by another "
            "program, or restored from elsewhere. It is not used. Connect the account again with "
            "`reelflow accounts connect`; an upload begins anew once its URL's hour has passed",
            code=MISPLACED,
        )


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return None
