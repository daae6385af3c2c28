"""The ``Range`` header: which bytes of a file are wanted (RFC 9110, section 14)."""

from __future__ import annotations

import re
from typing import Final

from reelflow.api.errors import ApiError
from reelflow.domain.chunks import ByteRange

_ONE_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII | re.IGNORECASE)


def wanted_range(header: str, size_bytes: int) -> ByteRange | None:
    """Return the range that a header asks for; None for the whole file.

    A header that asks for several ranges, or means nothing, is ignored, as the RFC allows.

    :raises ApiError: 416 ``range_not_satisfiable``: no byte of the file lies in the range
    """
    match = _ONE_RANGE.fullmatch(header.strip())
    if match is None or not any(match.groups()):
        return None
    first_text, last_text = match.groups()
    if not first_text:
        first, last = max(0, size_bytes - int(last_text)), size_bytes - 1
    else:
        first, last = int(first_text), int(last_text or size_bytes - 1)
        if last_text and last < first:
            return None
    last = min(last, size_bytes - 1)
    if first > last:
        raise ApiError(
            416,
            "range_not_satisfiable",
            f"the file has {size_bytes} bytes",
            headers={"Content-Range": f"bytes */{size_bytes}"},
        )
    return ByteRange(first, last, size_bytes)
