"""Signatures of addresses that strangers bring back, by keys that only our processes have."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence


class Signer:
    """Signs texts, and knows what it signed.

    :param keys: the first signs; what another of them signed was signed before the keys were
        changed
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def sign(self, text: str) -> str:
        """Return the signature of a text, in hexadecimal digits."""
        return self._signature(self._keys[0], text)

    def has_signed(self, text: str, signature: str) -> bool:
        """Whether this is a signature of ours of the text; how long that takes tells nothing."""
        given = signature.encode(errors="replace")
        found = [
            hmac.compare_digest(self._signature(key, text).encode(), given) for key in self._keys
        ]
        return any(found)

    @staticmethod
    def _signature(key: bytes, text: str) -> str:
        return hmac.new(key, text.encode(errors="replace"), hashlib.sha256).hexdigest()
