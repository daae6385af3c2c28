"""Reading the texts of an EXIF block of strangers: a TIFF file whose offsets may lie."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

_EXIF_IFD: Final = 0x8769
_USER_COMMENT: Final = 0x9286
#: Tags of TIFF 6.0 and Exif 2.32 that hold text about what made a picture.
_TEXTS: Final = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
}
_BYTE, _ASCII, _LONG, _UNDEFINED = 1, 2, 4, 7
_MAX_ENTRIES: Final = 512
_MAX_TEXT_BYTES: Final = 256 * 1024
_CHARSETS: Final = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16", bytes(8): "utf-8"}


def read_texts(block: bytes) -> list[tuple[str, str]]:
    """Return the texts of an EXIF block by the names of their tags; what is damaged is left out.

    Of a tag that stands there more than once the first is read: many could name the same bytes.
    """
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return []
    outer = _texts_of(block, struct.unpack_from(f"{order}I", block, 4)[0], order)
    found = [
        (_TEXTS[tag], _text(value, "utf-8"))
        for tag, (kind, value) in outer.items()
        if kind == _ASCII and tag in _TEXTS
    ]
    kind, value = outer.get(_EXIF_IFD, (0, b""))
    if kind == _LONG and len(value) == 4:
        inner = _texts_of(block, struct.unpack(f"{order}I", value)[0], order)
        kind, value = inner.get(_USER_COMMENT, (0, b""))
        if kind in (_BYTE, _ASCII, _UNDEFINED):
            found.append(("UserComment", _user_comment(value)))
    return found


def _texts_of(block: bytes, offset: int, order: str) -> dict[int, tuple[int, bytes]]:
    """Return type and value of the tags that are looked at, of one directory."""
    found: dict[int, tuple[int, bytes]] = {}
    for tag, kind, value in _entries(block, offset, order):
        if tag in _TEXTS or tag in (_EXIF_IFD, _USER_COMMENT):
            found.setdefault(tag, (kind, value))
    return found


def _user_comment(value: bytes) -> str:
    charset = _CHARSETS.get(value[:8], "utf-8")
    if charset == "utf-16":
        # Exif says UCS-2 in the block's order; writers disagree, so the zeros decide.
        charset = "utf-16-be" if value[8:9] == b"\0" else "utf-16-le"
    return _text(value[8:], charset)


def _entries(block: bytes, offset: int, order: str) -> Iterator[tuple[int, int, bytes]]:
    """Give tag, type and value of each text-sized entry of one directory."""
    if offset + 2 > len(block):
        return
    count = struct.unpack_from(f"{order}H", block, offset)[0]
    for index in range(min(count, _MAX_ENTRIES)):
        at = offset + 2 + 12 * index
        if at + 12 > len(block):
            return
        tag, kind, units = struct.unpack_from(f"{order}HHI", block, at)
        size = units * (4 if kind == _LONG else 1)
        if kind not in (_BYTE, _ASCII, _LONG, _UNDEFINED) or size > _MAX_TEXT_BYTES:
            continue
        start = at + 8 if size <= 4 else struct.unpack_from(f"{order}I", block, at + 8)[0]
        yield tag, kind, block[start : start + size]


def _text(value: bytes, charset: str) -> str:
    return value.decode(charset, "replace").strip("\0 ")
