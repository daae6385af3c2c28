"""What a request says of the length of its body."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Scope


def declared_bytes(scope: Scope) -> int | None:
    """Return the number of ``Content-Length``; None where there is none, or no number."""
    text = Headers(scope=scope).get("content-length", "")
    # More digits would cost more to read than any body is long.
    return int(text[:20]) if text.isascii() and text.isdecimal() else None
