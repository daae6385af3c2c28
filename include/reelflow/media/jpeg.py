"""Reading the size of a JPEG file of ours from its header, decoding nothing."""

from __future__ import annotations

import struct
from typing import Final

_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_BASELINE: Final = 0xC0
_SCAN: Final = 0xDA
# Of segments that could hold metadata, only the JFIF header is ours.
_PLAIN_SEGMENTS: Final = frozenset({0xE0, 0xDB, 0xC4, 0xDD, _BASELINE})


def read_jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Give width and height; None if it is no whole baseline JPEG, or holds more than a picture."""
    if not (data.startswith(_START) and data.endswith(_END)):
        return None
    offset, size = len(_START), None
    while offset + 4 <= len(data):
        marker, length = struct.unpack_from(">HH", data, offset)
        kind = marker & 0xFF
        if marker == 0xFF00 | _SCAN:
            return size
        if marker >> 8 != 0xFF or kind not in _PLAIN_SEGMENTS or length < 2:
            return None
        if kind == _BASELINE and length >= 8 and offset + 9 <= len(data):
            height, width = struct.unpack_from(">HH", data, offset + 5)
            size = (width, height) if width and height else None
        offset += 2 + length
    return None
