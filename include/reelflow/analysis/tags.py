"""The tags of Matroska and WebM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reelflow.analysis.embedded import Embedded
from reelflow.source import Source

# Element ids (RFC 9559, 5.1).
_SEGMENT, _TAGS, _TAG, _SIMPLE = 0x18538067, 0x1254C367, 0x7373, 0x67C8
_NAME, _STRING = 0x45A3, 0x4487
_HEADER_BYTES: Final = 12


def read_matroska(source: Source, found: Embedded) -> None:
    """Read the simple tags of a file whose segment says where each part ends."""
    for segment, start, end in _elements(source, found, 0, source.size_bytes):
        if segment != _SEGMENT:
            continue
        for tags, tags_start, tags_end in _elements(source, found, start, end):
            if tags == _TAGS:
                _read_tags(source, found, tags_start, tags_end)


def _read_tags(source: Source, found: Embedded, start: int, end: int) -> None:
    for tag, tag_start, tag_end in _elements(source, found, start, end):
        if tag != _TAG:
            continue
        for simple, simple_start, simple_end in _elements(source, found, tag_start, tag_end):
            if simple == _SIMPLE:
                _read_simple(source, found, simple_start, simple_end)


def _read_simple(source: Source, found: Embedded, start: int, end: int) -> None:
    parts = {
        kind: found.take(source, at, stop - at)
        for kind, at, stop in _elements(source, found, start, end)
        if kind in (_NAME, _STRING)
    }
    if _NAME in parts:
        found.add_text(parts[_NAME].decode("utf-8", "replace"), parts.get(_STRING, b""))


def _elements(
    source: Source, found: Embedded, start: int, end: int
) -> Iterator[tuple[int, int, int]]:
    """Give id, begin and end of the content of each element (RFC 8794); an unknown size ends it."""
    offset = start
    while offset < end and found.step():
        header = source.read_at(offset, _HEADER_BYTES)
        id_bytes = _width(header[:1])
        size_bytes = _width(header[id_bytes : id_bytes + 1])
        if not (1 <= id_bytes <= 4 and 1 <= size_bytes <= 8):
            return
        content = offset + id_bytes + size_bytes
        mask = (1 << 7 * size_bytes) - 1
        size = int.from_bytes(header[id_bytes : id_bytes + size_bytes], "big") & mask
        if size == mask:  # a live recording: its segment ends with the file
            size = end - content
        if content + size > end:
            return
        yield int.from_bytes(header[:id_bytes], "big"), content, content + size
        offset = content + size


def _width(first: bytes) -> int:
    """Return how many bytes a number has by its first one; 0 for none."""
    return 9 - first[0].bit_length() if first and first[0] else 0
