"""Files in memory as engines of content analysis read them."""

from __future__ import annotations

from hashlib import sha256

from reelflow.analysis.base import Subject
from reelflow.media.sniff import HEAD_BYTES, sniff
from reelflow.source import BytesSource


class MemoryFile(BytesSource):
    """A file in memory that counts what is read of it."""

    bytes_read = 0
    reads = 0

    def read_at(self, offset: int, count: int) -> bytes:
        piece = super().read_at(offset, count)
        self.bytes_read += len(piece)
        self.reads += 1
        return piece


def subject(content: bytes, *, url: str | None = None) -> Subject:
    """Return a file in memory, its type as its own bytes say."""
    container = sniff(content[:HEAD_BYTES])
    make_url = None if url is None else lambda: url
    return Subject(MemoryFile(content), container, sha256(content).hexdigest(), make_url)
