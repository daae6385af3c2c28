"""What is found in a file beside its pictures, within bounds: XMP packets and named texts."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from reelflow.source import Source

#: Most bytes of one text or packet that are read; what is longer is left out.
PART_MAX_BYTES: Final = 1024 * 1024
_TOTAL_MAX_BYTES: Final = 8 * 1024 * 1024
_MAX_STEPS: Final = 20_000
#: Of all texts together, whose bytes a file may store packed or name more than once.
_TEXT_MAX_CHARS: Final = 8 * 1024 * 1024
_NAME_MAX_CHARS: Final = 512


@dataclass
class Embedded:
    """What was found, and how much may still be read: a hostile file has parts without end.

    :param xmp: XMP packets as they stand in the file
    :param texts: names of text fields, as their format has them, and their values
    """

    xmp: list[bytes] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    _bytes_left: int = _TOTAL_MAX_BYTES
    _steps_left: int = _MAX_STEPS
    _chars_left: int = _TEXT_MAX_CHARS

    def step(self) -> bool:
        """Count one part that is looked at; False when there were too many."""
        self._steps_left -= 1
        return self._steps_left >= 0

    def take(self, source: Source, offset: int, size: int) -> bytes:
        """Read a part of the file whole; nothing of one that is too large, or once too many."""
        if not 0 < size <= min(PART_MAX_BYTES, self._bytes_left):
            return b""
        self._bytes_left -= size
        return source.read_at(offset, size)

    def add_text(self, name: str, value: bytes, charset: str = "utf-8") -> None:
        """Keep a text by the name of its field, unless there is too much text already."""
        self.add_texts([(name, value.decode(charset, "replace").strip("\0 "))])

    def add_texts(self, texts: Iterable[tuple[str, str]]) -> None:
        """Keep texts by the names of their fields, as far as there is not too much already."""
        for name, text in texts:
            self._chars_left -= len(name) + len(text)
            if self._chars_left < 0:
                return
            self.texts.append((name[:_NAME_MAX_CHARS], text))

    def inflate(self, packed: bytes) -> bytes:
        """Unpack at most a part's size; nothing of what is damaged, or is more than may be read."""
        most = min(PART_MAX_BYTES, self._bytes_left)
        unpacker = zlib.decompressobj()
        try:
            text = unpacker.decompress(packed, most) if most else b""
        except zlib.error:
            return b""
        self._bytes_left -= len(text)
        return text if unpacker.eof else b""
