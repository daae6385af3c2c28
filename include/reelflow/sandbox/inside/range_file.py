"""A seekable file object over ranges that somebody else reads: the library gets no other file."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from reelflow.sandbox.wire import MAX_RANGE_BYTES

BLOCK_BYTES: Final = MAX_RANGE_BYTES
"""One question to the parent, which may be a request over a network."""

_KEPT_BLOCKS: Final = 32
_SEEK_SET, _SEEK_CURRENT, _SEEK_END = 0, 1, 2


class RangeRefusedError(OSError):
    """What is allowed of the file was read."""


class RangeFile:
    """Read whole aligned blocks and keep the latest, so that going back and forth asks once.

    :param ask: gives `count` bytes at an offset
    """

    def __init__(self, ask: Callable[[int, int], bytes], size_bytes: int) -> None:
        self._ask = ask
        self._size_bytes = size_bytes
        self._position = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._allowed_bytes = size_bytes

    def allow(self, count: int) -> None:
        """Let the next piece of work ask for this many bytes, whatever was asked for before."""
        self._allowed_bytes = count

    def read(self, count: int) -> bytes:
        """Give up to `count` bytes, at most to the end of a block: its reader asks again."""
        index, start = divmod(self._position, BLOCK_BYTES)
        if count <= 0 or self._position >= self._size_bytes:
            return b""
        data = self._block(index)[start : start + count]
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = _SEEK_SET) -> int:
        """Move the position; it may lie behind the end, where there is nothing to read."""
        base = {_SEEK_CURRENT: self._position, _SEEK_END: self._size_bytes}.get(whence, 0)
        if base + offset < 0:
            raise ValueError("a position before the first byte")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Give the position."""
        return self._position

    def _block(self, index: int) -> bytes:
        if index in self._blocks:
            self._blocks.move_to_end(index)
            return self._blocks[index]
        offset = index * BLOCK_BYTES
        count = min(BLOCK_BYTES, self._size_bytes - offset)
        if count > self._allowed_bytes:
            raise RangeRefusedError("reading it takes more of the file than allowed")
        self._allowed_bytes -= count
        block = self._ask(offset, count)
        self._blocks[index] = block
        if len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
        return block
