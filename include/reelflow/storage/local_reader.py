"""Reading an open file by offset, and noticing that somebody writes to it."""

from __future__ import annotations

import os
import stat
from typing import Final

from reelflow.exceptions import MediaUnreadableError, SourceChangedError
from reelflow.source import FileSource
from reelflow.storage.local_errors import local_errors

# O_NONBLOCK keeps the open of a pipe from waiting for a writer.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LocalReader(FileSource):
    """A :class:`~reelflow.source.Source` of an open file; its errors name the key."""

    def __init__(self, fd: int, key: str) -> None:
        super().__init__(fd, key)
        self._key = key

    def read_at(self, offset: int, count: int) -> bytes:
        """See :meth:`Source.read_at <reelflow.source.Source.read_at>`."""
        with local_errors(self._key):
            return super().read_at(offset, count)


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
    found = f"{key} was replaced or written to since it was looked at"
    return SourceChangedError(
        f"{found}: provide it again, and leave it alone until it is published",
        found=found,
        key=key,
    )


def _refuse_unless_plain(status: os.stat_result, key: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise MediaUnreadableError(
            f"{key} is a link, a folder, a device or a pipe: give the file itself", key=key
        )
