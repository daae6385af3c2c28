"""What is read: bytes in ranges, wherever they lie, and untrusted files opened as such.

A file is a plain one, never a link, a device or a pipe.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from reelflow.exceptions import MediaUnreadableError, SourceChangedError

if TYPE_CHECKING:
    from typing_extensions import Buffer

_HASHED_BLOCK_BYTES: Final = 1024 * 1024
#: How often a file is hashed again because something touched it: whoever does so all the time gets
#: nobody to hash it without end.
_LOOKS_MAX: Final = 8
_REASONS = {
    errno.ENOENT: "does not exist; check the name",
    errno.ELOOP: "is a symbolic link; give the file itself",
    errno.EACCES: "may not be read; give this user read permission",
    errno.ENXIO: "is not a plain file; give a real media file",
    errno.ENOTDIR: "does not exist: a part of its path is not a folder; check the name",
    errno.ENAMETOOLONG: "does not exist: the name is too long",
}


class Source(Protocol):
    """Bytes that can be read at any place; threads may read at once."""

    @property
    def size_bytes(self) -> int:
        """How many there are."""

    @property
    def identity(self) -> str:
        """Which content it is: every byte read is of this one; another content has another."""

    def read_at(self, offset: int, count: int) -> bytes:
        """Read up to `count` bytes at an offset; fewer only at the end.

        :raises SourceChangedError: it was replaced or written to since it was opened
        :raises ObjectNotFoundError: it was deleted, and the store keeps it no longer
        """


class RangeStream(Protocol):
    """A range of a source, read from its first byte to its last."""

    def readinto(self, buffer: Buffer, /) -> int:
        """Read the next bytes into memory that is there already; return how many.

        :return: 0 only at the end of the range
        :raises SourceChangedError: the source was replaced before the range was asked for
        :raises ObjectNotFoundError: it was deleted before that
        """
        ...

    def close(self) -> None:
        """Give up what is left of it; safe to call twice."""
        ...


@runtime_checkable
class StreamedSource(Source, Protocol):
    """A source that lies far away: a long range of it comes best as one stream."""

    def stream_at(self, offset: int, count: int) -> RangeStream:
        """Return up to `count` bytes at an offset, fewer only at the end, as they come."""
        ...


class FileSource:
    """The file open at a descriptor, which stays the caller's to close; its position stays.

    A file that is replaced or deleted under its name stays readable as it was. Whoever writes to it
    is noticed even if its modification time is set back: the system itself keeps the time of the
    last change (ctime). That moves on when the file is renamed or gets other rights, too, so it is
    hashed again then, if `sha256` says what it must be; and given up if not. `identity`, which
    outlives such things, has no part of it.

    :param name: what errors call it
    :raises SourceChangedError: from `check_unchanged` and every reading, once somebody wrote to it
    """

    #: What its content hashes to, in hexadecimal, where that is known.
    sha256: str | None = None

    def __init__(self, fd: int, name: str = "the file") -> None:
        self._fd = fd
        self._name = name
        status = os.fstat(fd)
        self._size_bytes = status.st_size
        self._identity = identity_of(status)
        self._ctime_ns = status.st_ctime_ns
        self._looks_left = _LOOKS_MAX

    @property
    def size_bytes(self) -> int:
        """Size when it was opened."""
        return self._size_bytes

    @property
    def identity(self) -> str:
        """Inode, size and modification time when it was opened."""
        return self._identity

    def read_at(self, offset: int, count: int) -> bytes:
        """Read up to `count` bytes at an offset; fewer only at the end."""
        wanted = max(0, min(count, self._size_bytes - offset))
        data = read_at(self._fd, offset, wanted)
        while self._is_touched():  # after the read: what was written before it is noticed
            data = read_at(self._fd, offset, wanted)
        if len(data) < wanted:
            raise self._changed(offset + len(data))
        return data

    def read_into(self, buffer: Buffer, offset: int) -> int:
        """Read at an offset into memory that is there already; return how many bytes."""
        count = os.preadv(self._fd, [buffer], offset)
        while self._is_touched():
            count = os.preadv(self._fd, [buffer], offset)
        return count

    def check_unchanged(self) -> None:
        """Raise unless the file is as it was when it was opened."""
        while self._is_touched():
            pass

    def _is_touched(self) -> bool:
        """Whether something touched it since the last look, of which its content is still known.

        Whoever asks reads again: what was read before may be of a state in between.
        """
        now = os.fstat(self._fd)
        # To delete a file sets its ctime and changes no byte; who wrote to it sets its mtime.
        is_touched = now.st_ctime_ns != self._ctime_ns and now.st_nlink > 0
        if identity_of(now) == self._identity and is_touched and self.sha256 is None:
            raise SourceChangedError(
                f"{self._name} was written to, renamed or given other rights while it was read: "
                "provide it again, and leave it alone until it is published. If nobody wrote to "
                "it, `reelflow posts retry` takes it as it is"
            )
        if identity_of(now) != self._identity or (is_touched and not self._has_known_content()):
            raise self._changed(now.st_size)
        if is_touched:
            self._ctime_ns = now.st_ctime_ns  # of before it was hashed: a later one is looked into
        return is_touched

    def _has_known_content(self) -> bool:
        if self._looks_left == 0:
            return False
        self._looks_left -= 1
        digest, offset = hashlib.sha256(), 0
        block = memoryview(bytearray(_HASHED_BLOCK_BYTES))
        while count := os.preadv(self._fd, [block], offset):
            digest.update(block[:count])
            offset += count
        return digest.hexdigest() == self.sha256

    def _changed(self, now_bytes: int) -> SourceChangedError:
        found = (
            f"{self._name} was replaced or written to since it was looked at ({self._size_bytes} "
            f"bytes at first, then {now_bytes})"
        )
        return SourceChangedError(
            f"{found}: provide it again, whole, and leave it alone until it is published",
            found=found,
        )


class BytesSource:
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        return len(self._content)

    @property
    def identity(self) -> str:
        """Their hash."""
        return hashlib.sha256(self._content).hexdigest()

    def read_at(self, offset: int, count: int) -> bytes:
        """Read up to `count` bytes at an offset."""
        return self._content[offset : offset + count]


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
        source = FileSource(fd, repr(str(path)))
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


def file_identity(status: os.stat_result) -> tuple[int, int, int]:
    """Return inode, size in bytes and modification time in ns, as the ledger can keep them.

    Not the time of the last change: it moves on with a rename, `chown -R` or a backup by hard
    links, and files that nobody wrote to would look changed (docs/decisions/0010).

    Inodes may be unsigned, and a modification time may lie after the year 2262: both are folded
    into 64 signed bits, which still tells files apart.
    """
    return _signed_64(status.st_ino), status.st_size, _signed_64(status.st_mtime_ns)


def identity_of(status: os.stat_result) -> str:
    """Return the same three as one text."""
    return "-".join(str(number) for number in file_identity(status))


def _signed_64(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63
