"""The data folder on a local disk: inbox, sources, thumbnails, quarantine and scratch space.

Names from users never become paths here: a file gets a name of ours when it leaves the inbox.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from reelflow.exceptions import ConfigurationError, MediaUnreadableError
from reelflow.storage.files import file_identity, move, status_at, write_text_atomically

SIDECAR_SUFFIX: Final = ".json"
_FOLDERS: Final = ("inbox", "media", "thumbnails", "quarantine", "work")


@dataclass(frozen=True)
class InboxFile:
    """A file in the inbox, with its sidecar if it has one.

    :param account: name of the account's folder it lies in
    :param inode: with size and mtime, which file it is, so that a path used again is another file;
        as :func:`~reelflow.storage.files.file_identity` gives them
    :param sidecar_identity: inode, size in bytes and change time in ns of the sidecar
    """

    account: str
    path: Path
    sidecar: Path | None
    inode: int
    size_bytes: int
    mtime_ns: int
    sidecar_identity: tuple[int, int, int] | None = None

    @property
    def inbox_path(self) -> str:
        """Where it lies, relative to the inbox, as the ledger keeps it.

        The name is percent-encoded: names are bytes, and not all bytes can be stored as text.
        """
        return f"{self.account}/{quote_from_bytes(os.fsencode(self.path.name), safe='')}"


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
        """Make the folders that do not exist yet; only their owner may look in.

        :raises ConfigurationError: the data folder cannot be made
        """
        try:
            for name in _FOLDERS:
                (self.root / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as exc:
            raise ConfigurationError(
                f"the data folder {self.root} cannot be used ({exc.strerror}): point REELFLOW_HOME "
                "at a folder that this user may write to",
                code="data_folder",
            ) from exc

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

    def is_closed(self, account: str) -> bool:
        """Whether an account's folder exists, but this user may not move files out of it."""
        folder = self.inbox / account
        return folder.is_dir() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK)

    def quiet_files(
        self, accounts: Sequence[str], *, now_s: float, quiet_s: float
    ) -> list[InboxFile]:
        """Return the files that nobody has written to for a while, together with their sidecars.

        Hidden files are left alone, so a program may copy to ``.name`` and rename. A sidecar
        alone waits for its file, and files in a folder out of which nothing may be moved wait too.

        :param accounts: names of the folders to look into
        :param now_s: the machine's time, seconds since 1970
        :param quiet_s: how long file and sidecar must both have been left alone
        """
        found: list[InboxFile] = []
        for account in accounts:
            found.extend(self._quiet_in(account, now_s - quiet_s))
        return found

    def _quiet_in(self, account: str, quiet_since_s: float) -> Iterator[InboxFile]:
        if self.is_closed(account):
            return
        folder = self.inbox / account
        entries = _listing(folder)
        for name, status in sorted(entries.items()):
            if name.startswith(".") or stat.S_ISDIR(status.st_mode):
                continue
            if name.endswith(SIDECAR_SUFFIX):
                continue
            sidecar = entries.get(name + SIDECAR_SUFFIX)
            if sidecar is not None and stat.S_ISDIR(sidecar.st_mode):
                sidecar = None
            # ctime, because a copy that keeps its source's mtime looks old while it grows.
            newest = max(status.st_ctime, sidecar.st_ctime if sidecar else 0.0)
            if newest > quiet_since_s:
                continue
            inode, size_bytes, mtime_ns = file_identity(status)
            yield InboxFile(
                account=account,
                path=folder / name,
                sidecar=folder / (name + SIDECAR_SUFFIX) if sidecar else None,
                inode=inode,
                size_bytes=size_bytes,
                mtime_ns=mtime_ns,
                sidecar_identity=_sidecar_identity(sidecar),
            )

    def lonely_sidecars(self, account: str, *, now_s: float, quiet_s: float) -> list[str]:
        """Return the names of quiet sidecars whose file is not there, sorted."""
        entries = _listing(self.inbox / account)
        plain = {name: at for name, at in entries.items() if not stat.S_ISDIR(at.st_mode)}
        return sorted(
            name
            for name, status in plain.items()
            if name.endswith(SIDECAR_SUFFIX) and not name.startswith(".")
            if name.removesuffix(SIDECAR_SUFFIX) not in plain
            if status.st_ctime <= now_s - quiet_s
        )

    def holds(self, file: InboxFile) -> bool:
        """Whether file and sidecar still are those very files, and nobody has written to them.

        A sidecar that came, went or changed since the listing is none that was read.
        """
        status = status_at(file.path)
        if status is None or not _is_file(
            status, inode=file.inode, size_bytes=file.size_bytes, mtime_ns=file.mtime_ns
        ):
            return False
        return _sidecar_identity(_status_of_sidecar(file.path)) == file.sidecar_identity

    def take(
        self, inbox_path: str, target: str, *, inode: int, size_bytes: int, mtime_ns: int
    ) -> bool:
        """Move a file, and its sidecar, out of the inbox under a name of ours.

        Doing it again, or in two processes at once, finishes what a crash left half done: the
        target's name is unique, so whatever lies there was taken before.

        :param inbox_path: as :attr:`InboxFile.inbox_path` gives it
        :param inode: with size and modification time, which file it must be
        :return: False when that file is neither in the inbox nor taken already
        """
        account, _, quoted = inbox_path.partition("/")
        source = self.inbox / account / os.fsdecode(unquote_to_bytes(quoted))
        destination = self.path(target)
        status = status_at(source)
        wanted = status is not None and _is_file(
            status, inode=inode, size_bytes=size_bytes, mtime_ns=mtime_ns
        )
        if status_at(destination) is None:
            moved = wanted and move(source, destination, scratch=self.work)
            if not moved and status_at(destination) is None:
                return False
        elif wanted:
            source.unlink(missing_ok=True)  # a copy between disks died before it deleted
        sidecar = _status_of_sidecar(source)
        # A new file of the same name keeps its own sidecar.
        if status_at(source) is None and sidecar is not None and not stat.S_ISDIR(sidecar.st_mode):
            move(_sidecar_of(source), _sidecar_of(destination), scratch=self.work)
        return True

    def set_aside(
        self, source: str, *, account: str, post_id: int, reason: dict[str, object]
    ) -> str:
        """Move a rejected file and its sidecar to the quarantine, beside a file that says why.

        :return: where it lies now, relative to the data folder; the same when it was there already
        """
        extension = PurePosixPath(source).suffix
        if extension == ".reason":  # its sidecar would take the name of the reason's file
            extension = ""
        target = f"quarantine/{account}/{post_id}{extension}"
        destination = self.path(target)
        destination.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        reason_file = destination.with_name(f"{post_id}.reason{SIDECAR_SUFFIX}")
        write_text_atomically(reason_file, json.dumps(reason, indent=2, ensure_ascii=False) + "\n")
        move(self.path(source), destination, scratch=self.work)
        move(_sidecar_of(self.path(source)), _sidecar_of(destination), scratch=self.work)
        return target

    def bring_back(self, quarantined: str, source: str) -> bool:
        """Move a file, and its sidecar, out of the quarantine; False when it is not there."""
        old = self.path(quarantined)
        moved = move(old, self.path(source), scratch=self.work)
        move(_sidecar_of(old), _sidecar_of(self.path(source)), scratch=self.work)
        old.with_name(f"{old.stem}.reason{SIDECAR_SUFFIX}").unlink(missing_ok=True)
        return moved

    def delete_source(self, source: str) -> None:
        """Delete a source and its sidecar; gone already is fine."""
        self.path(source).unlink(missing_ok=True)
        _sidecar_of(self.path(source)).unlink(missing_ok=True)

    def scratch_path(self, suffix: str = "") -> Path:
        """Return a path for a file that is not whole yet; a dead task's is deleted by a sweep."""
        self.work.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self.work / f"{uuid.uuid4().hex}{suffix}"

    def old_work(self, *, before_s: float) -> list[Path]:
        """Return scratch files that were last touched before a time, seconds since 1970."""
        if not self.work.is_dir():
            return []
        found = ((path, status_at(path)) for path in sorted(self.work.iterdir()))
        return [path for path, status in found if status and status.st_mtime < before_s]

    @staticmethod
    def delete_work(path: Path) -> None:
        """Delete scratch space; gone already is fine."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _listing(folder: Path) -> dict[str, os.stat_result]:
    """Return what lies in a folder; nothing when it is none, without what vanishes meanwhile."""
    entries: dict[str, os.stat_result] = {}
    try:
        with os.scandir(folder) as listing:
            for entry in listing:
                with suppress(FileNotFoundError):
                    entries[entry.name] = entry.stat(follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return entries


def _is_file(status: os.stat_result, *, inode: int, size_bytes: int, mtime_ns: int) -> bool:
    return file_identity(status) == (inode, size_bytes, mtime_ns)


def _sidecar_identity(status: os.stat_result | None) -> tuple[int, int, int] | None:
    if status is None or stat.S_ISDIR(status.st_mode):
        return None
    return status.st_ino, status.st_size, status.st_ctime_ns


def _sidecar_of(path: Path) -> Path:
    return path.with_name(path.name + SIDECAR_SUFFIX)


def _status_of_sidecar(path: Path) -> os.stat_result | None:
    try:
        return status_at(_sidecar_of(path))
    except OSError as exc:
        if exc.errno == errno.ENAMETOOLONG:  # so long a name has no room for a sidecar's
            return None
        raise
