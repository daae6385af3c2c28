"""The content hash that identifies a source."""

from __future__ import annotations

import hashlib
from typing import Final

from reelflow.source import FileSource, Source

_BLOCK_BYTES: Final = 1024 * 1024
#: ... of a source that is no file: each is a request of its own.
_REMOTE_BLOCK_BYTES: Final = 8 * 1024 * 1024


def sha256_of(source: Source, *, block_bytes: int | None = None) -> str:
    """Hash a source in one pass, a block in memory at a time.

    :return: 64 lower-case hex digits
    """
    digest = hashlib.sha256()
    if block_bytes is None:
        block_bytes = _BLOCK_BYTES if isinstance(source, FileSource) else _REMOTE_BLOCK_BYTES
    for offset in range(0, source.size_bytes, block_bytes):
        digest.update(source.read_at(offset, block_bytes))
    return digest.hexdigest()
