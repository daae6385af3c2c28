"""A chunk of a file as the body of a request, and its digest."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Final

from reelflow.source import Source

_BLOCK_BYTES: Final = 256 * 1024


class ChunkBody:
    """Bytes of a source, read block by block as they are sent.

    :param on_sent: is told how many bytes of it have been given away
    """

    def __init__(
        self, source: Source, offset: int, size_bytes: int, on_sent: Callable[[int], None]
    ) -> None:
        self._source = source
        self._offset = offset
        self._size_bytes = size_bytes
        self._on_sent = on_sent

    def __len__(self) -> int:
        return self._size_bytes

    def __iter__(self) -> Iterator[bytes]:
        sent_bytes = 0
        for block in self._blocks():
            yield block
            sent_bytes += len(block)
            self._on_sent(sent_bytes)

    def digest_header(self) -> str:
        """Return the value of ``Content-Digest`` (RFC 9530)."""
        digest = hashlib.sha256()
        for block in self._blocks():
            digest.update(block)
        return f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"

    def _blocks(self) -> Iterator[bytes]:
        end = self._offset + self._size_bytes
        for at in range(self._offset, end, _BLOCK_BYTES):
            yield self._source.read_at(at, min(_BLOCK_BYTES, end - at))
