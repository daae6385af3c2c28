"""Reading an open file by offset, and noticing that somebody writes to it."""

from __future__ import annotations

import os
import stat
from typing import Final

from reelflow.exceptions import MediaUnreadableError, SourceChangedError
from reelflow.storage.local_errors import local_errors
from reelflow.storage.local_folder import identity_of

# O_NONBLOCK keeps the open of a pipe from waiting for a writer.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LocalReader:
    """An :class:`~reelflow.storage.base.ObjectReader` of an open file.

    A file that is replaced or deleted under its name stays readable as it was.

    :param fd: descriptor of a plain file; it stays the caller's to close
    """

    def __init__(self, fd: int, key: str) -> None:
        self._fd = fd
        self._key = key
        status = os.fstat(fd)
        self._size_bytes = status.st_size
        self._identity = identity_of(status)

    @property
    def size_bytes(self) -> int:
        """See :attr:`ObjectReader.size_bytes <reelflow.storage.base.ObjectReader.size_bytes>`."""
        return self._size_bytes

    @property
    def identity(self) -> str:
        """See :attr:`ObjectReader.identity <reelflow.storage.base.ObjectReader.identity>`."""
        return self._identity

    def read_at(self, offset: int, count: int) -> bytes:
        """See :meth:`ObjectReader.read_at <reelflow.storage.base.ObjectReader.read_at>`."""
        wanted = max(0, min(count, self._size_bytes - offset))
        parts = []
        with local_errors(self._key):
            while wanted and (part := os.pread(self._fd, wanted, offset)):
                parts.append(part)
                offset += len(part)
                wanted -= len(part)
            # After the read: bytes that were written before it are noticed.
            unchanged = identity_of(os.fstat(self._fd)) == self._identity
        if wanted or not unchanged:
            raise changed(self._key)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def open_plain(folder: int, name: str, *, key: str) -> int:
    """Return a descriptor of a plain file, never of a link, a device or a pipe.

    :param folder: descriptor of the folder it lies in
    :raises MediaUnreadableError: it is something else
    :raises OSError: of the system
    """
    # Before the open, because to open a device may do something.
    _refuse_unless_plain(os.stat(name, dir_fd=folder, follow_symlinks=False), key)
    fd = os.open(name, _FLAGS, dir_fd=folder)
    try:
        _refuse_unless_plain(os.fstat(fd), key)
    except BaseException:
        os.close(fd)
        raise
    return fd


def changed(key: str) -> SourceChangedError:
    """Return the error for a file that is not the one it must be."""
    return SourceChangedError(
        f"{key} was replaced or written to since it was looked at: provide it again, and leave it"
        " alone until it is published",
        key=key,
    )


def _refuse_unless_plain(status: os.stat_result, key: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise MediaUnreadableError(
            f"{key} is a link, a folder, a device or a pipe: give the file itself", key=key
        )
