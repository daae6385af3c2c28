"""Many small reads of a source as few large ones: over a network each of them is a request."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import Final

from reelflow.source import Source

#: What is read where nothing before leads to, and what reading on grows to by doubling: a file
#: whose parts lie far apart is not read whole, and one of tiny parts takes few reads.
FIRST_BLOCK_BYTES: Final = 32 * 1024
BLOCK_MAX_BYTES: Final = 256 * 1024
_BLOCKS_KEPT: Final = 4


@dataclass(frozen=True)
class _Block:
    start: int
    content: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.content)


class BlockSource:
    """A source that is read ahead, and of which the last four blocks are kept in memory.

    What is kept was of the same identity when it was read: a change is noticed by the next read
    that goes to the source itself. Reads larger than a block go there directly.

    :param source: what is read
    :param block_max_bytes: most that is read at once of what is read in one go
    """

    def __init__(self, source: Source, *, block_max_bytes: int = BLOCK_MAX_BYTES) -> None:
        self._source = source
        self._block_max_bytes = block_max_bytes
        self._lock = Lock()
        self._blocks: deque[_Block] = deque(maxlen=_BLOCKS_KEPT)
        self._latest = _Block(0, b"")

    @property
    def size_bytes(self) -> int:
        """See :attr:`Source.size_bytes <reelflow.source.Source.size_bytes>`."""
        return self._source.size_bytes

    @property
    def identity(self) -> str:
        """See :attr:`Source.identity <reelflow.source.Source.identity>`."""
        return self._source.identity

    def read_at(self, offset: int, count: int) -> bytes:
        """See :meth:`Source.read_at <reelflow.source.Source.read_at>`."""
        count = min(count, self.size_bytes - offset)
        if count <= 0:
            return b""
        if count > self._block_max_bytes:
            return self._source.read_at(offset, count)
        with self._lock:
            block = self._kept(offset, count) or self._read(offset, count)
        start = offset - block.start
        return block.content[start : start + count]

    def _kept(self, offset: int, count: int) -> _Block | None:
        for block in self._blocks:
            if block.start <= offset and offset + count <= block.end:
                self._blocks.remove(block)
                self._blocks.append(block)  # the one that was used last goes last
                return block
        return None

    def _read(self, offset: int, count: int) -> _Block:
        latest, ahead = self._latest, len(self._latest.content)
        leads_here = latest.start <= offset <= latest.end + ahead
        size = min(2 * ahead, self._block_max_bytes) if leads_here else 0
        size = max(size, count, FIRST_BLOCK_BYTES)
        block = _Block(offset, self._source.read_at(offset, size))
        self._latest = block
        self._blocks.append(block)
        return block
