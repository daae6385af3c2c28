"""Objects as files in a folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reelflow.exceptions import ConfigurationError, ObjectExistsError, StorageAccessError
from reelflow.source import identity_of
from reelflow.storage.base import ByteStream, FolderInfo, ObjectInfo
from reelflow.storage.content import checked_blocks
from reelflow.storage.local_errors import local_errors
from reelflow.storage.local_folder import info_of, path_names
from reelflow.storage.local_reader import LocalReader, changed, open_plain
from reelflow.storage.local_uploads import BLOCK_BYTES, LocalUploads


def open_data_folder(root: Path, *, durable: bool = True) -> LocalStore:
    """Return the store in a folder, which is made if it does not exist.

    :param durable: see :class:`LocalStore`
    :raises ConfigurationError: it cannot be made
    """
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise ConfigurationError(
            f"the data folder {root} cannot be used ({exc.strerror}): point REELFLOW_HOME "
            "at a folder that this user may write to",
            code="data_folder",
        ) from exc
    return LocalStore(root, durable=durable)


class LocalStore(LocalUploads):
    """A :class:`~reelflow.storage.base.MediaStore` in a folder.

    A put, a copy or a hash has a block of 1 MiB in memory at a time, a part of an upload none but
    what it is given. What is being written grows in ``.uploads`` below the root and is on the disk
    before it is published, by a rename, or by a hard link where nothing may be there yet.

    :param root: an existing folder that only Reelflow may write to; a folder directly in it may be
        a link to another disk, from which objects can be moved, but to which none can be written
    :param durable: a part of an upload counts once it is on the disk; see :class:`LocalUploads`
    """

    def stat(self, key: str) -> ObjectInfo | None:
        """See :meth:`ObjectStore.stat <reelflow.storage.base.ObjectStore.stat>`."""
        status = self._status(key)
        return None if status is None else info_of(key, status)

    def list(self, folder: str = "") -> Iterator[ObjectInfo]:
        """See :meth:`ObjectStore.list <reelflow.storage.base.ObjectStore.list>`."""
        names = path_names(folder) if folder else ()
        with local_errors(folder or "."):
            yield from self._folder.walk(names)

    @contextmanager
    def open(self, key: str, *, identity: str | None = None) -> Iterator[LocalReader]:
        """See :meth:`ObjectStore.open <reelflow.storage.base.ObjectStore.open>`."""
        names = path_names(key)
        with local_errors(key), self._folder.parent(names) as folder:
            fd = open_plain(folder, names[-1], key=key)
        try:
            reader = LocalReader(fd, key)
            if identity is not None and identity != reader.identity:
                raise changed(key)
            yield reader
        finally:
            os.close(fd)

    def put(
        self,
        key: str,
        content: bytes | ByteStream,
        *,
        size_bytes: int,
        sha256: str | None = None,
        only_if_absent: bool = False,
        content_type: str | None = None,
    ) -> ObjectInfo:
        """See :meth:`ObjectStore.put <reelflow.storage.base.ObjectStore.put>`.

        :param content_type: not kept: a file has none
        """
        blocks = checked_blocks(
            content, key=key, size_bytes=size_bytes, sha256=sha256, block_bytes=BLOCK_BYTES
        )
        return self._write(key, blocks, size_bytes=size_bytes, only_if_absent=only_if_absent)

    def move(self, source: str, target: str, *, identity: str | None = None) -> str | None:
        """See :meth:`ObjectStore.move <reelflow.storage.base.ObjectStore.move>`.

        From another disk it is a copy, whole on this one before its source is deleted; what came
        in the source's place meanwhile stays.
        """
        status = self._status(source)
        wanted = status is not None and identity in (None, identity_of(status))
        if wanted:
            self._rename(source, target)
        there = self._status(target)
        if there is None and status is not None and not wanted:
            raise changed(source)
        return None if there is None else identity_of(there)

    def delete(self, key: str) -> None:
        """See :meth:`ObjectStore.delete <reelflow.storage.base.ObjectStore.delete>`."""
        if self._status(key) is None:
            return  # nothing, or a folder, which is none of the store's objects
        names = path_names(key)
        with local_errors(key), suppress(FileNotFoundError), self._folder.parent(names) as folder:
            os.unlink(names[-1], dir_fd=folder)
            os.fsync(folder)

    def look_into(self, folder: str, *, depth: int) -> Iterator[ObjectInfo | FolderInfo]:
        """See :meth:`FolderStore.look_into <reelflow.storage.base.FolderStore.look_into>`."""
        names = path_names(folder) if folder else ()
        with local_errors(folder or "."):
            yield from self._folder.look_into(names, depth)

    def make_folder(self, folder: str) -> None:
        """See :meth:`FolderStore.make_folder <reelflow.storage.base.FolderStore.make_folder>`.

        Whoever the system's umask lets may look into it, if they may look into the one around it;
        a folder directly in the store is for its owner alone.
        """
        names = path_names(folder)
        mode = 0o700 if len(names) == 1 else 0o777
        with local_errors(folder), self._folder.parent(names, create=True) as parent:
            try:
                os.mkdir(names[-1], mode, dir_fd=parent)
            except FileExistsError:
                if not stat.S_ISDIR(os.stat(names[-1], dir_fd=parent).st_mode):
                    raise NotADirectoryError(errno.ENOTDIR, "a file is in its place") from None

    def remove_folder(self, folder: str) -> bool:
        """Remove an empty folder, as ``FolderStore.remove_folder`` says."""
        names = path_names(folder)
        with (
            local_errors(folder),
            suppress(FileNotFoundError),
            self._folder.parent(names) as parent,
        ):
            try:
                os.rmdir(names[-1], dir_fd=parent)
            except OSError as exc:
                if exc.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    return False
                raise
        return True

    def shown(self, key: str) -> str:
        """Return the path, with what a name holds beside plain letters still percent-encoded."""
        return str(self.root / key)

    def check(self, folders: Iterable[str]) -> None:
        """See :meth:`FolderStore.check <reelflow.storage.base.FolderStore.check>`."""
        for path in (self.root, *(self.root / folder for folder in folders)):
            if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                raise StorageAccessError(
                    f"{path} cannot be written to: make it, or give this user permission",
                    code="data_folder",
                )

    def _status(self, key: str) -> os.stat_result | None:
        """Return the status of a file, a link itself and not its target; None for a folder."""
        names = path_names(key)
        with local_errors(key), suppress(FileNotFoundError, NotADirectoryError):
            with self._folder.parent(names) as folder:
                status = os.stat(names[-1], dir_fd=folder, follow_symlinks=False)
            return None if stat.S_ISDIR(status.st_mode) else status
        return None

    def _rename(self, source: str, target: str) -> None:
        """Rename a file, or copy it from another disk, unless it is gone meanwhile."""
        old, new = path_names(source), path_names(target)
        with (
            local_errors(target),
            suppress(FileNotFoundError),
            self._folder.parent(new, create=True) as into,
            self._folder.parent(old) as out_of,
        ):
            try:
                os.rename(old[-1], new[-1], src_dir_fd=out_of, dst_dir_fd=into)
            except OSError as exc:
                if exc.errno != errno.EXDEV:
                    raise
                copied = self._copy(source, target, out_of, old[-1])
                if identity_of(os.stat(old[-1], dir_fd=out_of, follow_symlinks=False)) == copied:
                    os.unlink(old[-1], dir_fd=out_of)
            # The new name first: after a loss of power there are two rather than none.
            os.fsync(into)
            os.fsync(out_of)

    def _copy(self, source: str, target: str, folder: int, name: str) -> str:
        """Copy a file, or a link as a link, from another disk.

        :param folder: descriptor of the folder the source lies in
        :return: the identity of what was copied
        """
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            self._link_again(os.readlink(name, dir_fd=folder), target)
            return identity_of(status)
        with self.open(source) as reader:
            offsets = range(0, reader.size_bytes, BLOCK_BYTES)
            blocks = (reader.read_at(offset, BLOCK_BYTES) for offset in offsets)
            absent = self._status(target) is None
            with suppress(ObjectExistsError):  # somebody else moved it first, and may use it by now
                self._write(target, blocks, size_bytes=reader.size_bytes, only_if_absent=absent)
            return reader.identity

    def _link_again(self, leads_to: str, target: str) -> None:
        names = path_names(target)
        with self._folder.parent(names, create=True) as folder:
            with suppress(FileNotFoundError):
                os.unlink(names[-1], dir_fd=folder)
            os.symlink(leads_to, names[-1], dir_fd=folder)
