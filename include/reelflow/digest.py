"""The content hash that identifies a source."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import Final

from reelflow.source import Source, StreamedSource

_BLOCK_BYTES: Final = 1024 * 1024


def sha256_of(source: Source, *, block_bytes: int = _BLOCK_BYTES) -> str:
    """Hash a source in one pass, a block in memory at a time; what lies far away as one stream.

    :return: 64 lower-case hex digits
    """
    digest = hashlib.sha256()
    if isinstance(source, StreamedSource):
        block = memoryview(bytearray(block_bytes))
        with closing(source.stream_at(0, source.size_bytes)) as stream:
            while count := stream.readinto(block):
                digest.update(block[:count])
    else:
        for offset in range(0, source.size_bytes, block_bytes):
            digest.update(source.read_at(offset, block_bytes))
    return digest.hexdigest()
