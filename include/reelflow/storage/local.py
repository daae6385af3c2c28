"""The data folder on a local disk: inbox, sources, thumbnails, quarantine and scratch space.

Names from users never become paths here: a file gets a name of ours when it leaves the inbox.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from reelflow.exceptions import MediaUnreadableError, StorageFullError

SIDECAR_SUFFIX: Final = ".json"
_FOLDERS: Final = ("inbox", "media", "thumbnails", "quarantine", "work")


@dataclass(frozen=True)
class InboxFile:
    """A file in the inbox, with its sidecar if it has one.

    :param account: name of the account's folder it lies in
    :param inode: with size and mtime, which file it is, so that a path used again is another file
    """

    account: str
    path: Path
    sidecar: Path | None
    inode: int
    size_bytes: int
    mtime_ns: int

    @property
    def inbox_path(self) -> str:
        """Where it lies, relative to the inbox, as the ledger keeps it."""
        return f"{self.account}/{self.path.name}"


class LocalFolders:
    """The folders of Reelflow below one root.

    :param root: the data folder; every path in the ledger is relative to it
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.inbox, self.media, self.thumbnails, self.quarantine, self.work = (
            self.root / name for name in _FOLDERS
        )

    def create(self) -> None:
        """Make the folders that do not exist yet; only their owner may look in."""
        for name in _FOLDERS:
            (self.root / name).mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, relative: str) -> Path:
        """Return the path of something the ledger names.

        :raises MediaUnreadableError: it would lie outside of the data folder
        """
        parts = PurePosixPath(relative)
        if parts.is_absolute() or ".." in parts.parts:
            raise MediaUnreadableError(
                f"{relative!r} is not a path in the data folder: the ledger was tampered with"
            )
        return self.root / parts

    def create_account_inbox(self, account: str) -> Path:
        """Make the folder into which files for an account are put."""
        folder = self.inbox / account
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def account_folders(self) -> list[str]:
        """Return the names of the folders in the inbox, sorted."""
        if not self.inbox.is_dir():
            return []
        with os.scandir(self.inbox) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))

    def quiet_files(
        self, accounts: Sequence[str], *, now_s: float, quiet_s: float
    ) -> list[InboxFile]:
        """Return the files that nobody has written to for a while, together with their sidecars.

        Hidden files are left alone, so a program may copy to ``.name`` and rename. A sidecar
        alone waits for its file.

        :param accounts: names of the folders to look into
        :param now_s: the machine's time, seconds since 1970
        :param quiet_s: how long file and sidecar must both have been left alone
        """
        found: list[InboxFile] = []
        for account in accounts:
            found.extend(self._quiet_in(account, now_s - quiet_s))
        return found

    def _quiet_in(self, account: str, quiet_since_s: float) -> Iterator[InboxFile]:
        folder = self.inbox / account
        try:
            with os.scandir(folder) as listing:
                entries = {entry.name: entry.stat(follow_symlinks=False) for entry in listing}
        except FileNotFoundError:
            return
        for name, status in sorted(entries.items()):
            if name.startswith(".") or stat.S_ISDIR(status.st_mode):
                continue
            if name.endswith(SIDECAR_SUFFIX):
                continue
            sidecar = entries.get(name + SIDECAR_SUFFIX)
            # ctime, because a copy that keeps its source's mtime looks old while it grows.
            newest = max(status.st_ctime, sidecar.st_ctime if sidecar else 0.0)
            if newest > quiet_since_s:
                continue
            yield InboxFile(
                account=account,
                path=folder / name,
                sidecar=folder / (name + SIDECAR_SUFFIX) if sidecar else None,
                inode=status.st_ino,
                size_bytes=status.st_size,
                mtime_ns=status.st_mtime_ns,
            )

    def take(self, inbox_path: str, target: str, *, inode: int) -> bool:
        """Move a file, and its sidecar, out of the inbox under a name of ours.

        Doing it again finishes what a crash left half done.

        :param inode: which file it must be
        :return: False when that file is neither in the inbox nor taken already
        """
        source = self.inbox / inbox_path
        destination = self.path(target)
        if not _is_inode(destination, inode) and not (
            _is_inode(source, inode) and _move(source, destination)
        ):
            return False
        sidecar = source.with_name(source.name + SIDECAR_SUFFIX)
        if not source.exists():  # a new file of the same name keeps its own sidecar
            _move(sidecar, destination.with_name(destination.name + SIDECAR_SUFFIX))
        return True

    def set_aside(
        self, source: str, *, account: str, post_id: int, reason: dict[str, object]
    ) -> str:
        """Move a rejected file to the quarantine, beside a file that says why.

        :return: where it lies now, relative to the data folder; the same when it was there already
        """
        extension = PurePosixPath(source).suffix
        target = f"quarantine/{account}/{post_id}{extension}"
        destination = self.path(target)
        destination.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        reason_file = destination.with_name(f"{post_id}.reason{SIDECAR_SUFFIX}")
        write_text_atomically(reason_file, json.dumps(reason, indent=2, ensure_ascii=False) + "\n")
        _move(self.path(source), destination)
        self._sidecar_of(source).unlink(missing_ok=True)
        return target

    def bring_back(self, quarantined: str, source: str) -> bool:
        """Move a file out of the quarantine again; False when it is no longer there."""
        old = self.path(quarantined)
        moved = _move(old, self.path(source))
        old.with_name(f"{old.stem}.reason{SIDECAR_SUFFIX}").unlink(missing_ok=True)
        return moved

    def delete_source(self, source: str) -> None:
        """Delete a source and its sidecar; gone already is fine."""
        self.path(source).unlink(missing_ok=True)
        self._sidecar_of(source).unlink(missing_ok=True)

    def _sidecar_of(self, source: str) -> Path:
        path = self.path(source)
        return path.with_name(path.name + SIDECAR_SUFFIX)

    def work_folder(self, name: str) -> Path:
        """Make scratch space for one task; it may be deleted when its task is dead."""
        folder = self.work / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def old_work(self, *, before_s: float) -> list[Path]:
        """Return scratch folders that were last touched before a time, seconds since 1970."""
        if not self.work.is_dir():
            return []
        return [path for path in sorted(self.work.iterdir()) if path.lstat().st_mtime < before_s]

    @staticmethod
    def delete_work(path: Path) -> None:
        """Delete scratch space; gone already is fine."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a small file so that a reader sees all of it or nothing.

    :raises StorageFullError: no room is left
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as exc:
        part.unlink(missing_ok=True)
        _raise_if_full(exc, path)
        raise


def _is_inode(path: Path, inode: int) -> bool:
    try:
        return path.lstat().st_ino == inode
    except FileNotFoundError:
        return False


def _move(source: Path, destination: Path) -> bool:
    """Rename, or copy and delete between disks; False when there is nothing to move."""
    try:
        destination.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source.rename(destination)
    except FileNotFoundError:
        return False
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            _raise_if_full(exc, destination)
            raise
        _copy_and_delete(source, destination)
    return True


def _copy_and_delete(source: Path, destination: Path) -> None:
    part = destination.with_name(f".{destination.name}.part")
    try:
        shutil.copy2(source, part, follow_symlinks=False)
        part.replace(destination)
    except OSError as exc:
        part.unlink(missing_ok=True)
        _raise_if_full(exc, destination)
        raise
    source.unlink(missing_ok=True)


def _raise_if_full(exc: OSError, path: Path) -> None:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        raise StorageFullError(
            f"no room to write {path}: make room on its disk; the post is kept for the next run"
        ) from exc
