"""The digest that a body is sent with, ``Content-Digest`` or ``Repr-Digest`` (RFC 9530)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from starlette.requests import Request

from reelflow.api.errors import ApiError

#: Of a body that is one whole chunk both mean the same.
_HEADERS: Final = ("content-digest", "repr-digest")
_MEMBER: Final = re.compile(r"\s*([a-z0-9*._-]+)=:([A-Za-z0-9+/=]*):\s*", re.ASCII)
_SHA256_BYTES: Final = 32


def declared_sha256(request: Request) -> str | None:
    """Return what a body must hash to, in 64 lower-case hex digits; None when nothing is said.

    :raises ApiError: 422 ``digest_malformed``: it cannot be read, or names no SHA-256
    """
    for header in _HEADERS:
        text = request.headers.get(header)
        if text is not None:
            return _sha256_in(header, text)
    return None


def _sha256_in(header: str, text: str) -> str:
    members = [_MEMBER.fullmatch(member) for member in text.split(",")]
    for member in members:
        if member is not None and member[1] == "sha-256":
            try:
                digest = base64.b64decode(member[2], validate=True)
            except binascii.Error:
                break
            if len(digest) == _SHA256_BYTES:
                return digest.hex()
    raise ApiError(
        422,
        "digest_malformed",
        f"the header {header} names no SHA-256: send sha-256=:BASE64:, or leave it out",
    )
