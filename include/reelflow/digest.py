"""The content hash that identifies a source."""

from __future__ import annotations

import hashlib
from typing import Final

from reelflow.blocks import blocks_of
from reelflow.source import Source

_BLOCK_BYTES: Final = 1024 * 1024


def sha256_of(source: Source, *, block_bytes: int = _BLOCK_BYTES) -> str:
    """Hash a source in one pass, a block in memory at a time; what lies far away as one stream.

    :return: 64 lower-case hex digits
    """
    digest = hashlib.sha256()
    for block in blocks_of(source, block_bytes=block_bytes):
        digest.update(block)
    return digest.hexdigest()
