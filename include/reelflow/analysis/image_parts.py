"""The segments of JPEG and the chunks of PNG, WebP and AVI that hold XMP, EXIF or texts."""

from __future__ import annotations

from typing import Final

from reelflow.analysis import exif
from reelflow.analysis.embedded import Embedded
from reelflow.source import Source

_XMP_SEGMENT: Final = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF_SEGMENT: Final = b"Exif\0\0"
_APP1, _COMMENT, _SCAN, _END = 0xE1, 0xFE, 0xDA, 0xD9
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_XMP_KEYWORD: Final = b"XML:com.adobe.xmp"


def read_jpeg(source: Source, found: Embedded) -> None:
    """Read the segments before the picture (ITU-T T.81, B.1.1; XMP part 3, 1.1.3)."""
    offset = 2
    while found.step():
        header = source.read_at(offset, 4)
        if len(header) < 4 or header[0] != 0xFF or header[1] in (_SCAN, _END):
            return
        if header[1] == 0xFF:  # padding
            offset += 1
            continue
        if header[1] in _STANDALONE:
            offset += 2
            continue
        size = int.from_bytes(header[2:], "big")
        if size < 2:
            return
        if header[1] in (_APP1, _COMMENT):
            _take_segment(found, header[1], found.take(source, offset + 4, size - 2))
        offset += 2 + size


def _take_segment(found: Embedded, marker: int, content: bytes) -> None:
    if marker == _COMMENT:
        found.add_text("Comment", content)
    elif content.startswith(_XMP_SEGMENT):
        found.xmp.append(content[len(_XMP_SEGMENT) :])
    elif content.startswith(_EXIF_SEGMENT):
        found.add_texts(exif.read_texts(content))


def read_png(source: Source, found: Embedded) -> None:
    """Read the text chunks (W3C PNG 3, 11.3.3), which may stand before or behind the picture."""
    offset = 8
    while found.step():
        header = source.read_at(offset, 8)
        size, kind = int.from_bytes(header[:4], "big"), header[4:]
        if len(header) < 8 or kind == b"IEND" or size > 0x7FFFFFFF:
            return
        if kind in (b"tEXt", b"zTXt", b"iTXt", b"eXIf"):
            _take_chunk(found, kind, found.take(source, offset + 8, size))
        offset += 12 + size


def _take_chunk(found: Embedded, kind: bytes, content: bytes) -> None:
    if kind == b"eXIf":
        found.add_texts(exif.read_texts(content))
        return
    keyword, _, rest = content.partition(b"\0")
    if kind == b"zTXt":
        rest = found.inflate(rest[1:])
    elif kind == b"iTXt":
        is_packed, rest = rest[:1] == b"\1", rest[2:]
        rest = rest.split(b"\0", 2)[-1]  # after the language and the translated keyword
        rest = found.inflate(rest) if is_packed else rest
    if keyword == _XMP_KEYWORD:
        found.xmp.append(rest)
    elif keyword:
        charset = "utf-8" if kind == b"iTXt" else "latin-1"
        found.add_text(keyword.decode("latin-1"), rest, charset)


def read_riff(source: Source, found: Embedded) -> None:
    """Read the chunks of WebP (RFC 9649, 2.7.1.5) and AVI (XMP part 3, 1.2.4)."""
    offset = 12
    while found.step():
        header = source.read_at(offset, 8)
        kind, size = header[:4], int.from_bytes(header[4:], "little")
        if len(header) < 8:
            return
        if kind in (b"XMP ", b"_PMX"):
            found.xmp.append(found.take(source, offset + 8, size))
        elif kind == b"EXIF":
            found.add_texts(exif.read_texts(found.take(source, offset + 8, size)))
        offset += 8 + size + size % 2
