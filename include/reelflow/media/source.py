"""Opening an untrusted file: a plain file, never a link, a device or a pipe."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelflow.exceptions import MediaUnreadableError

_REASONS = {
    errno.ENOENT: "does not exist; check the name",
    errno.ELOOP: "is a symbolic link; give the file itself",
    errno.EACCES: "may not be read; give this user read permission",
    errno.ENXIO: "is not a plain file; give a real media file",
    errno.ENOTDIR: "does not exist: a part of its path is not a folder; check the name",
    errno.ENAMETOOLONG: "does not exist: the name is too long",
}


@contextmanager
def open_source(path: Path) -> Iterator[int]:
    """Hold a read-only descriptor of a regular file.

    Links are refused in the last part of the path only. `O_NONBLOCK` keeps the open of a FIFO from
    waiting for a writer; on a regular file it changes nothing.

    :raises MediaUnreadableError: the path is missing, a link, not a plain file, or not readable
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        number = error.errno if isinstance(error, OSError) else None
        reason = _REASONS.get(number or 0, f"cannot be opened: {error}")
        raise MediaUnreadableError(f"{str(path)!r} {reason}.") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise MediaUnreadableError(
                f"{str(path)!r} is not a plain file; give a real media file."
            )
        yield fd
    finally:
        os.close(fd)


def read_at(fd: int, offset: int, count: int) -> bytes:
    """Read up to `count` bytes at an offset; shorter only at the end of the file."""
    parts = []
    while count > 0:
        part = os.pread(fd, count, offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        count -= len(part)
    return b"".join(parts)
