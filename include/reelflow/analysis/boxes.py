"""The boxes of MP4 and MOV that hold XMP or texts: what players call tags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reelflow.analysis.embedded import Embedded
from reelflow.source import Source

#: Of the box that holds an XMP packet in MP4 (XMP part 3, 1.2.6).
_XMP_UUID: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_PARENTS: Final = frozenset({b"moov", b"udta", b"meta"})
_MAX_DEPTH: Final = 6


@dataclass(frozen=True)
class _Box:
    kind: bytes
    offset: int
    content: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.content


def read_boxes(source: Source, found: Embedded) -> None:
    """Read the tags of ISO base media and QuickTime files.

    iTunes' list (``ilst``), named by four letters, by an index into ``keys`` (QuickTime File
    Format, "Metadata"), or freely (``----``); QuickTime's user data (``udta``), among them its XMP.
    """
    _read_level(source, found, 0, source.size_bytes, depth=0)


def _read_level(source: Source, found: Embedded, start: int, end: int, *, depth: int) -> None:
    keys: list[str] = []
    for box in _boxes(source, found, start, end):
        if box.kind == b"uuid" and source.read_at(box.content, 16) == _XMP_UUID:
            found.xmp.append(found.take(source, box.content + 16, box.size - 16))
        elif box.kind == b"XMP_":
            found.xmp.append(found.take(source, box.content, box.size))
        elif box.kind == b"keys":
            keys = _read_keys(found.take(source, box.content, box.size))
        elif box.kind == b"ilst":
            _read_list(source, found, box, keys)
        elif box.kind[:1] == b"\xa9" and box.size > 4:
            text = found.take(source, box.content, box.size)
            found.add_text(box.kind.decode("latin-1"), text[4:])
        elif box.kind in _PARENTS and depth < _MAX_DEPTH:
            inner = box.content + _meta_header(source, box)
            _read_level(source, found, inner, box.end, depth=depth + 1)


def _meta_header(source: Source, box: _Box) -> int:
    """Return the bytes before the first inner box: ISO's ``meta`` has version and flags."""
    return 4 if box.kind == b"meta" and source.read_at(box.content, 4) == bytes(4) else 0


def _boxes(source: Source, found: Embedded, start: int, end: int) -> Iterator[_Box]:
    offset = start
    while offset + 8 <= end and found.step():
        header = source.read_at(offset, 16)
        size, kind, content = int.from_bytes(header[:4], "big"), header[4:8], offset + 8
        if size == 1:
            size, content = int.from_bytes(header[8:16], "big"), offset + 16
        stop = end if size == 0 else offset + size
        if len(header) < 8 or stop > end or stop < content:
            return
        yield _Box(kind, offset, content, stop)
        offset = stop


def _read_keys(content: bytes) -> list[str]:
    """Return the names in a ``keys`` box, in their order."""
    names, offset = [], 8
    while offset + 8 <= len(content):
        size = int.from_bytes(content[offset : offset + 4], "big")
        if size < 8:
            break
        names.append(content[offset + 8 : offset + size].decode("utf-8", "replace"))
        offset += size
    return names


def _read_list(source: Source, found: Embedded, box: _Box, keys: list[str]) -> None:
    for item in _boxes(source, found, box.content, box.end):
        index = int.from_bytes(item.kind, "big")
        name = keys[index - 1] if 0 < index <= len(keys) else item.kind.decode("latin-1")
        for part in _boxes(source, found, item.content, item.end):
            if part.kind == b"name" and item.kind == b"----":
                name = found.take(source, part.content, part.size)[4:].decode("utf-8", "replace")
            elif part.kind == b"data":
                # Before the value stand its type and its locale.
                found.add_text(name, found.take(source, part.content, part.size)[8:])
