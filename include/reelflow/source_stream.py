"""A source as a binary stream, for whoever wants to read and seek."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO, Final

from reelflow.source import Source

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: One read of a stream, which may be a request over a network.
_STREAM_BLOCK_BYTES: Final = 256 * 1024


class SourceStream(io.RawIOBase):
    """A source as a binary stream, for whoever wants to read and seek."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sought in."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position."""
        base = {os.SEEK_CUR: self._position, os.SEEK_END: self._source.size_bytes}.get(whence, 0)
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Buffer, /) -> int:
        """Read into a buffer."""
        view = memoryview(buffer)
        data = self._source.read_at(self._position, len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


def as_stream(source: Source) -> BinaryIO:
    """Give a source as a buffered binary stream, which reads 256 KiB of it at a time."""
    return io.BufferedReader(SourceStream(source), _STREAM_BLOCK_BYTES)
