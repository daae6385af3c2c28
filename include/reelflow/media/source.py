"""What is read: any range-readable bytes, and untrusted files opened as such.

A file is a plain one, never a link, a device or a pipe.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from reelflow.exceptions import MediaUnreadableError, SourceChangedError

if TYPE_CHECKING:
    from typing_extensions import Buffer

_REASONS = {
    errno.ENOENT: "does not exist; check the name",
    errno.ELOOP: "is a symbolic link; give the file itself",
    errno.EACCES: "may not be read; give this user read permission",
    errno.ENXIO: "is not a plain file; give a real media file",
    errno.ENOTDIR: "does not exist: a part of its path is not a folder; check the name",
    errno.ENAMETOOLONG: "does not exist: the name is too long",
}


class Source(Protocol):
    """Bytes that can be read at any place, and that stay what they are while they are read."""

    @property
    def size_bytes(self) -> int:
        """How many there are."""

    def read_at(self, offset: int, count: int) -> bytes:
        """Read up to `count` bytes at an offset; shorter only at the end."""


class FileSource:
    """The file open at a descriptor, as large as it is now; the descriptor's position stays.

    :raises SourceChangedError: from `check_unchanged`, and from a read that finds fewer bytes than
        the file had
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._status = os.fstat(fd)

    @property
    def size_bytes(self) -> int:
        """Size when it was opened."""
        return self._status.st_size

    def read_at(self, offset: int, count: int) -> bytes:
        """Read up to `count` bytes at an offset, none of those that were added since."""
        wanted = max(0, min(count, self.size_bytes - offset))
        data = read_at(self._fd, offset, wanted)
        if len(data) < wanted:
            raise _changed(self.size_bytes, offset + len(data))
        return data

    def check_unchanged(self) -> None:
        """Raise unless the file is as it was when it was opened."""
        now = os.fstat(self._fd)
        if (now.st_size, now.st_mtime_ns) != (self.size_bytes, self._status.st_mtime_ns):
            raise _changed(self.size_bytes, now.st_size)


class BytesSource:
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        return len(self._content)

    def read_at(self, offset: int, count: int) -> bytes:
        """Read up to `count` bytes at an offset."""
        return self._content[offset : offset + count]


class SourceStream(io.RawIOBase):
    """A source as a binary stream, for whoever wants to read and seek."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sought in."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position."""
        base = {os.SEEK_CUR: self._position, os.SEEK_END: self._source.size_bytes}.get(whence, 0)
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Buffer, /) -> int:
        """Read into a buffer."""
        view = memoryview(buffer)
        data = self._source.read_at(self._position, len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


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


@contextmanager
def open_file(path: Path) -> Iterator[FileSource]:
    """Hold a file as a source; at the end it must still be what it was.

    :raises MediaUnreadableError: the path is missing, a link, not a plain file, or not readable
    :raises SourceChangedError: somebody wrote to it meanwhile
    """
    with open_source(path) as fd:
        source = FileSource(fd)
        yield source
        source.check_unchanged()


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


def _changed(size_bytes: int, now_bytes: int) -> SourceChangedError:
    return SourceChangedError(
        f"the file changed while it was read ({size_bytes} bytes at first, then {now_bytes}); "
        "put it there again, whole, and under a new name"
    )
