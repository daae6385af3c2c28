"""The data folder on a local disk: inbox, sources, thumbnails, quarantine and scratch space.

Names from users never become paths here: a file gets a name of ours when it leaves the inbox.
"""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from reelflow.exceptions import ConfigurationError, MediaUnreadableError
from reelflow.source import file_identity
from reelflow.storage import inbox
from reelflow.storage.files import move, status_at, write_json_atomically
from reelflow.storage.inbox import (
    SIDECAR_SUFFIX,
    InboxFile,
    InboxFolder,
    sidecar_identity,
    sidecar_of,
    status_of_sidecar,
)

__all__ = ["InboxFile", "InboxFolder", "LocalFolders", "Taking"]

_FOLDERS: Final = ("inbox", "media", "thumbnails", "quarantine", "work")


@dataclass(frozen=True)
class Taking:
    """A file to take out of the inbox: where it lies, where it goes, and which file it must be.

    :param inbox_path: as :attr:`InboxFile.inbox_path` gives it
    :param target: a unique name of ours, relative to the data folder
    """

    inbox_path: str
    target: str
    inode: int
    size_bytes: int
    mtime_ns: int

    def is_it(self, status: os.stat_result) -> bool:
        """Whether what lies there is that file, and nobody has written to it."""
        return file_identity(status) == (self.inode, self.size_bytes, self.mtime_ns)


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
        return [
            file
            for account in accounts
            if not self.is_closed(account)
            for file in inbox.quiet_files(self.inbox / account, now_s - quiet_s)
        ]

    def quiet_folders(
        self, accounts: Sequence[str], *, now_s: float, quiet_s: float
    ) -> list[InboxFolder]:
        """Return the photo folders in which nobody has done anything for a while.

        A hidden folder is left alone, so a program may fill ``.name`` and rename it. The times are
        those of :meth:`quiet_files`.
        """
        return [
            folder
            for account in accounts
            if not self.is_closed(account)
            for folder in inbox.quiet_folders(self.inbox / account, now_s - quiet_s)
        ]

    def lonely_sidecars(self, account: str, *, now_s: float, quiet_s: float) -> list[str]:
        """Return the names of quiet sidecars beside which nothing lies, sorted."""
        return inbox.lonely_sidecars(self.inbox / account, now_s - quiet_s)

    def holds(self, found: InboxFile | InboxFolder) -> bool:
        """Whether all is as it was found: the very files and sidecar, and nobody wrote to them.

        A sidecar that came, went or changed since the listing is none that was read.
        """
        if isinstance(found, InboxFolder):
            return inbox.folder_at(found.path) == found
        status = status_at(found.path)
        same = (found.inode, found.size_bytes, found.mtime_ns)
        if status is None or file_identity(status) != same:
            return False
        return sidecar_identity(status_of_sidecar(found.path)) == found.sidecar_identity

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
        file = Taking(inbox_path, target, inode, size_bytes, mtime_ns)
        if not self._take_one(file):
            return False
        source = inbox.source_in(self.inbox, inbox_path)
        # A new file of the same name keeps its own sidecar.
        if status_at(source) is None:
            self._move_sidecar(source, self.path(target))
        return True

    def take_photos(self, images: Sequence[Taking]) -> bool:
        """Move the images of one folder, and its sidecar, out of the inbox; the folder goes.

        When one of them is not there any more, none is taken; but once a crash has left them half
        taken, the rest follows, so that it does not become another post.

        :return: False when one of them is neither in the inbox nor taken already
        """
        if not all(self._can_take(image) for image in images) and not any(
            status_at(self.path(image.target)) for image in images
        ):
            return False
        taken = [self._take_one(image) for image in images]
        folder = inbox.source_in(self.inbox, images[0].inbox_path).parent
        # What came meanwhile is another post, which keeps folder and sidecar.
        if inbox.remove_emptied(folder):
            self._move_sidecar(folder, self.path(images[0].target))
        return all(taken)

    def _can_take(self, file: Taking) -> bool:
        if status_at(self.path(file.target)) is not None:
            return True
        status = status_at(inbox.source_in(self.inbox, file.inbox_path))
        return status is not None and file.is_it(status)

    def _take_one(self, file: Taking) -> bool:
        source, destination = inbox.source_in(self.inbox, file.inbox_path), self.path(file.target)
        status = status_at(source)
        wanted = status is not None and file.is_it(status)
        if status_at(destination) is None:
            moved = wanted and move(source, destination, scratch=self.work)
            return moved or status_at(destination) is not None
        if wanted:
            source.unlink(missing_ok=True)  # a copy between disks died before it deleted
        return True

    def _move_sidecar(self, source: Path, destination: Path) -> None:
        sidecar = status_of_sidecar(source)
        if sidecar is not None and not stat.S_ISDIR(sidecar.st_mode):
            move(sidecar_of(source), sidecar_of(destination), scratch=self.work)

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
        write_json_atomically(self._reason_file(destination), reason)
        move(self.path(source), destination, scratch=self.work)
        move(sidecar_of(self.path(source)), sidecar_of(destination), scratch=self.work)
        return target

    def bring_back(self, quarantined: str, source: str) -> bool:
        """Move a file, and its sidecar, out of the quarantine; False when it is not there."""
        old = self.path(quarantined)
        moved = move(old, self.path(source), scratch=self.work)
        move(sidecar_of(old), sidecar_of(self.path(source)), scratch=self.work)
        self._reason_file(old).unlink(missing_ok=True)
        return moved

    def set_photos_aside(
        self, sources: Sequence[str], *, account: str, post_id: int, reason: dict[str, object]
    ) -> list[str]:
        """Move the images of a rejected photo post to a folder of their own in the quarantine.

        Its sidecar and the file that says why lie beside that folder.

        :return: where they lie now, in the same order, relative to the data folder
        """
        folder = f"quarantine/{account}/{post_id}"
        self.path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json_atomically(self._reason_file(self.path(folder)), reason)
        targets = [
            f"{folder}/{number:03d}{PurePosixPath(source).suffix}"
            for number, source in enumerate(sources, 1)
        ]
        for source, target in zip(sources, targets, strict=True):
            move(self.path(source), self.path(target), scratch=self.work)
        move(sidecar_of(self.path(sources[0])), sidecar_of(self.path(folder)), scratch=self.work)
        return targets

    def bring_photos_back(self, quarantined: Sequence[str], sources: Sequence[str]) -> None:
        """Move the images of a photo post, and its sidecar, out of the quarantine again."""
        folder = self.path(quarantined[0]).parent
        for old, source in zip(quarantined, sources, strict=True):
            move(self.path(old), self.path(source), scratch=self.work)
        move(sidecar_of(folder), sidecar_of(self.path(sources[0])), scratch=self.work)
        self._reason_file(folder).unlink(missing_ok=True)
        with suppress(OSError):  # something else lies there, or it is gone already
            folder.rmdir()

    @staticmethod
    def _reason_file(quarantined: Path) -> Path:
        return quarantined.with_name(f"{quarantined.stem}.reason{SIDECAR_SUFFIX}")

    def delete_source(self, source: str) -> None:
        """Delete a source and its sidecar; gone already is fine."""
        self.path(source).unlink(missing_ok=True)
        sidecar_of(self.path(source)).unlink(missing_ok=True)

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
