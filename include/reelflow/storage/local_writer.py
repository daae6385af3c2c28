"""Writing into a folder: a file grows aside until it is whole, then gets its name."""

from __future__ import annotations

import errno
import os
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reelflow.exceptions import ObjectExistsError, StorageAccessError, StorageFullError
from reelflow.storage.base import ObjectInfo
from reelflow.storage.keys import UPLOADS_FOLDER
from reelflow.storage.local_errors import local_errors, storage_full
from reelflow.storage.local_folder import LocalFolder, info_of, path_names

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: How many blocks one call of Linux takes (``IOV_MAX``).
_VECTORS_MAX: Final = 1024

#: What new files leave free of a disk: for the ledger, Airflow, and the work on what is here. Of a
#: small disk it is one part in so many.
_RESERVE_BYTES: Final = 1024**3
_RESERVE_PART: Final = 20

_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalWriter:
    """What a put and an upload in parts have in common.

    :param root: an existing folder that only Reelflow may write to
    """

    def __init__(self, root: Path) -> None:
        self._folder = LocalFolder(root)

    @property
    def root(self) -> Path:
        """The folder, absolute."""
        return self._folder.root

    def check_room(self, size_bytes: int) -> None:
        """See :meth:`ObjectStore.check_room <reelflow.storage.base.ObjectStore.check_room>`.

        What has begun to come has its room already: :func:`new_file` takes all of it.
        """
        with local_errors(UPLOADS_FOLDER), self._uploads() as folder:
            disk = os.fstatvfs(folder)
        reserve_bytes = min(_RESERVE_BYTES, disk.f_blocks * disk.f_frsize // _RESERVE_PART)
        free_bytes = disk.f_bavail * disk.f_frsize
        if size_bytes > free_bytes - reserve_bytes:
            raise StorageFullError(
                f"{size_bytes} bytes more cannot be taken in: {free_bytes} are free on the store's "
                f"disk, and {reserve_bytes} of them are kept for the work on what is there; make "
                "room on it",
                size_bytes=size_bytes,
                free_bytes=free_bytes,
                reserve_bytes=reserve_bytes,
            )

    def _uploads(self) -> AbstractContextManager[int]:
        """Hold a descriptor of the folder in which things grow."""
        return self._folder.parent((UPLOADS_FOLDER, ""), create=True)

    def _write(
        self, key: str, blocks: Iterable[bytes], *, size_bytes: int, only_if_absent: bool
    ) -> ObjectInfo:
        """Write a whole object aside, then publish it."""
        path_names(key)
        upload_id = uuid.uuid4().hex
        with ExitStack() as closing:
            with local_errors(key):
                folder = closing.enter_context(self._uploads())
                closing.callback(unlink_upload, folder, upload_id)
                new = new_file(folder, f"{upload_id}.data", size_bytes, key=key)
                fd = closing.enter_context(new)
            offset = 0
            for block in blocks:  # whose own errors are not the disk's
                with local_errors(key):
                    write_all(fd, [block], offset)
                offset += len(block)
            with local_errors(key):
                os.fsync(fd)
                return self._publish(folder, upload_id, key, only_if_absent=only_if_absent)

    def _publish(
        self, folder: int, upload_id: str, key: str, *, only_if_absent: bool
    ) -> ObjectInfo:
        """Give a file that is whole its name; what it was linked from is left to be unlinked."""
        names, data = path_names(key), f"{upload_id}.data"
        status = os.stat(data, dir_fd=folder, follow_symlinks=False)
        with self._folder.parent(names, create=True) as target:
            if only_if_absent:
                _link(data, names[-1], folder, target, key=key)
            else:
                os.rename(data, names[-1], src_dir_fd=folder, dst_dir_fd=target)
            os.fsync(target)
        return info_of(key, status)


@contextmanager
def new_file(folder: int, name: str, size_bytes: int, *, key: str) -> Iterator[int]:
    """Hold a new file open that has its full size already, so that a full disk is noticed now.

    :param folder: descriptor of the folder to make it in
    :raises StorageFullError: there is no room for it
    """
    disk = os.fstatvfs(folder)
    if size_bytes > disk.f_bavail * disk.f_frsize:
        raise storage_full(key, size_bytes=size_bytes)
    fd = os.open(name, _CREATE, 0o600, dir_fd=folder)
    try:
        if size_bytes:
            os.posix_fallocate(fd, 0, size_bytes)
        yield fd
    finally:
        os.close(fd)


def write_all(fd: int, blocks: Sequence[Buffer], offset: int) -> None:
    """Write blocks of bytes one behind the other, from an offset on."""
    left = deque(memoryview(block) for block in blocks)
    while left:
        count = os.pwritev(fd, list(islice(left, _VECTORS_MAX)), offset)
        offset += count
        while left and count >= left[0].nbytes:
            count -= left.popleft().nbytes
        if count:
            left[0] = left[0][count:]


def unlink_upload(folder: int, upload_id: str) -> None:
    """Delete the files of an upload; gone already is fine."""
    # The data first: whoever does not find it reads the object that was linked from it, and would
    # take the other name's end for a change. The JSON last: a listing goes by it after a crash.
    for suffix in ("data", "received", "json"):
        with suppress(FileNotFoundError):
            os.unlink(f"{upload_id}.{suffix}", dir_fd=folder)


def _link(data: str, name: str, folder: int, target: int, *, key: str) -> None:
    try:
        os.link(data, name, src_dir_fd=folder, dst_dir_fd=target)
    except FileExistsError as exc:
        if _are_one(data, name, folder, target):
            return  # linked by this very upload, whose process died before it was unlinked
        raise ObjectExistsError(
            f"{key} exists already and was left as it is: choose another name, or delete it first",
            key=key,
        ) from exc
    except OSError as exc:
        if exc.errno not in (errno.EPERM, errno.EOPNOTSUPP):
            raise
        raise StorageAccessError(
            f"{key} cannot be linked to: keep the data folder on a disk that has hard links",
            code="no_hard_links",
            key=key,
        ) from exc


def _are_one(data: str, name: str, folder: int, target: int) -> bool:
    """Whether two names are of one file."""
    with suppress(FileNotFoundError):
        statuses = (
            os.stat(data, dir_fd=folder, follow_symlinks=False),
            os.stat(name, dir_fd=target, follow_symlinks=False),
        )
        return os.path.samestat(*statuses)
    return False
