"""Encryption at rest for tokens and upload URLs, with a Fernet key of Reelflow's own."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from reelflow.exceptions import ConfigurationError


def generate_key() -> str:
    """Return a new key for ``REELFLOW_FERNET_KEY``."""
    return Fernet.generate_key().decode()


class Cipher:
    """Encrypts and decrypts short secrets.

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

    def encrypt(self, secret: str) -> bytes:
        """Return the secret, encrypted."""
        return self._fernet.encrypt(secret.encode())

    def decrypt(self, token: bytes, *, what: str) -> str:
        """Return the secret in the clear.

        :param what: what is decrypted, for the error, such as ``"the token of account x"``
        :raises ConfigurationError: it was encrypted with another key, or tampered with
        """
        try:
            return self._fernet.decrypt(token).decode()
        except InvalidToken:
            raise ConfigurationError(
                f"{what} cannot be decrypted: REELFLOW_FERNET_KEY is not the key it was stored "
                "with. Set the old key again, or connect the account again with `reelflow accounts "
                "connect`",
                code="fernet_key_wrong",
            ) from None
