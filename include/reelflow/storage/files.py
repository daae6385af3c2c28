"""Writing a file on this machine so that a crash leaves the old or the new, never a half."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path

from reelflow.exceptions import StorageFullError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file so that a reader sees all of it or nothing.

    :raises StorageFullError: no room is left
    """
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as written:
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        part.replace(path)
    except OSError as exc:
        part.unlink(missing_ok=True)
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFullError(
                f"no room to write {path}: make room on its disk, then try again"
            ) from exc
        raise
