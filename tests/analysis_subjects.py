"""Files in memory as engines of content analysis read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from reelflow.analysis.base import Subject
from reelflow.media.sniff import HEAD_BYTES, sniff


@dataclass
class MemoryFile:
    """A file in memory that counts what is read of it."""

    content: bytes
    bytes_read: int = field(default=0, init=False)

    @property
    def size_bytes(self) -> int:
        return len(self.content)

    def read_at(self, offset: int, count: int) -> bytes:
        piece = self.content[offset : offset + count]
        self.bytes_read += len(piece)
        return piece


def subject(content: bytes, *, url: str | None = None) -> Subject:
    """Return a file in memory, its type as its own bytes say."""
    container = sniff(content[:HEAD_BYTES])
    return Subject(MemoryFile(content), container, sha256(content).hexdigest(), url)
