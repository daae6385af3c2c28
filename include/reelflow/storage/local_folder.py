"""A store's root folder: paths that cannot lead out of it, and what lies below it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from reelflow.exceptions import InvalidObjectKeyError, StorageAccessError
from reelflow.source import identity_of
from reelflow.storage.base import FolderInfo, ObjectInfo
from reelflow.storage.keys import UPLOADS_FOLDER, key_below, key_of, names_in
from reelflow.storage.local_errors import local_errors

FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_NAME_MAX_BYTES: Final = 255


def info_of(key: str, status: os.stat_result) -> ObjectInfo:
    """Return what a file's status says of it as an object."""
    return ObjectInfo(
        key=key,
        size_bytes=status.st_size,
        # The time of the change: a copy that keeps its source's mtime looks old while it grows.
        modified_at=_utc(status.st_ctime),
        identity=identity_of(status),
        is_plain=stat.S_ISREG(status.st_mode),
    )


def path_names(key: str) -> tuple[str, ...]:
    """Return the names of a key, outermost folder first.

    :raises InvalidObjectKeyError: it is not a key, or no path of a file
    """
    names = names_in(key)
    if any(len(os.fsencode(name)) > _NAME_MAX_BYTES for name in names):
        raise InvalidObjectKeyError(
            f"a name in {key[:200]!r}... has more than {_NAME_MAX_BYTES} bytes: choose a shorter"
            " one",
            key=key,
        )
    return names


class LocalFolder:
    """A root folder, and descriptors of the folders below it.

    Paths are walked folder by folder without following links, so that a link that somebody puts
    into an inbox leads nowhere. The first name of a path may be one: the root is ours alone, and a
    link there is how an administrator gives a folder another disk.

    :param root: an existing folder that only Reelflow may write to
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @contextmanager
    def parent(self, names: Sequence[str], *, create: bool = False) -> Iterator[int]:
        """Hold a descriptor of the folder that the last name lies in.

        :param create: make the folders that are missing
        :raises StorageAccessError: there is no root
        :raises OSError: of the system, when a folder is missing, a file or a link
        """
        fd = self._open_root()
        try:
            for depth, name in enumerate(names[:-1]):
                inner = _open_folder(fd, name, may_be_link=depth == 0, create=create)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)

    def walk(self, names: Sequence[str]) -> Iterator[ObjectInfo]:
        """Give the files below a folder in the order of the bytes of their paths."""
        with suppress(FileNotFoundError, NotADirectoryError), self.parent((*names, "")) as fd:
            yield from self._walk(fd, tuple(names))

    def _walk(self, fd: int, names: tuple[str, ...]) -> Iterator[ObjectInfo]:
        for name, status in _sorted_entries(fd):
            path = (*names, name)
            if path == (UPLOADS_FOLDER,):
                continue
            if not stat.S_ISDIR(status.st_mode):
                yield info_of(key_of(*path), status)
                continue
            with local_errors(key_of(*path)):
                try:
                    inner = os.open(name, FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=fd)
                except (FileNotFoundError, NotADirectoryError):
                    continue  # gone meanwhile
            try:
                yield from self._walk(inner, path)
            finally:
                os.close(inner)

    def look_into(self, names: Sequence[str], depth: int) -> Iterator[ObjectInfo | FolderInfo]:
        """Give what lies below a folder, as :meth:`FolderStore.look_into` says."""
        with suppress(FileNotFoundError, NotADirectoryError), self.parent((*names, "")) as fd:
            yield from self._look_into(fd, key_of(*names) if names else "", depth)

    def _look_into(self, fd: int, folder: str, depth: int) -> Iterator[ObjectInfo | FolderInfo]:
        for name, status in _sorted_entries(fd):
            key = key_below(folder, name)
            if key == UPLOADS_FOLDER:
                continue
            if not stat.S_ISDIR(status.st_mode):
                yield info_of(key, status)
                continue
            is_closed = not os.access(name, os.R_OK | os.W_OK | os.X_OK, dir_fd=fd)
            yield FolderInfo(key, _utc(status.st_ctime), is_closed)
            if depth == 1 or is_closed:
                continue
            try:
                inner = os.open(name, FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=fd)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue  # gone or closed meanwhile
            try:
                yield from self._look_into(inner, key, depth - 1)
            finally:
                os.close(inner)

    def _open_root(self) -> int:
        try:
            return os.open(self.root, FOLDER_FLAGS)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise StorageAccessError(
                f"the store's folder {self.root} does not exist: make it, or mount the disk it"
                " lies on",
                code="storage_missing",
            ) from exc


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _open_folder(parent: int, name: str, *, may_be_link: bool, create: bool) -> int:
    flags = FOLDER_FLAGS if may_be_link else FOLDER_FLAGS | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):  # another process made it first
        os.mkdir(name, 0o700, dir_fd=parent)
        os.fsync(parent)
    return os.open(name, flags, dir_fd=parent)


def _sorted_entries(fd: int) -> list[tuple[str, os.stat_result]]:
    """Return what lies in a folder as a bucket would list it, without what vanishes meanwhile.

    A folder sorts by its name and a slash, as the paths in it do.
    """
    found: list[tuple[str, os.stat_result]] = []
    with os.scandir(fd) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                found.append((entry.name, entry.stat(follow_symlinks=False)))
    return sorted(found, key=lambda entry: _sort_key(*entry))


def _sort_key(name: str, status: os.stat_result) -> bytes:
    return os.fsencode(name) + (b"/" if stat.S_ISDIR(status.st_mode) else b"")
