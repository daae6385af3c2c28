"""The content hash that identifies a file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from reelflow.media.source import open_source

_BLOCK_BYTES = 1024 * 1024


def sha256_file(path: Path) -> str:
    """Hash a plain file in one streaming pass, a block in memory at a time.

    :return: 64 lowercase hex digits
    :raises MediaUnreadableError: the path is missing, a link, not a plain file, or not readable
    """
    with open_source(path) as fd:
        return sha256_descriptor(fd)


def sha256_descriptor(fd: int) -> str:
    """Hash an open file from its first byte; the descriptor's own position stays."""
    digest = hashlib.sha256()
    offset = 0
    while block := os.pread(fd, _BLOCK_BYTES, offset):
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()
