"""The content hash that identifies a file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from reelflow.source import Source, open_file

_BLOCK_BYTES: Final = 1024 * 1024


def sha256_of(source: Source, *, block_bytes: int = _BLOCK_BYTES) -> str:
    """Hash a source in one pass, a block in memory at a time.

    :return: 64 lower-case hex digits
    """
    digest = hashlib.sha256()
    for offset in range(0, source.size_bytes, block_bytes):
        digest.update(source.read_at(offset, block_bytes))
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """Hash a plain file as :func:`sha256_of` hashes a source.

    :raises MediaUnreadableError: the path is missing, a link, not a plain file, or not readable
    :raises SourceChangedError: somebody wrote to the file meanwhile
    """
    with open_file(path) as source:
        return sha256_of(source)
