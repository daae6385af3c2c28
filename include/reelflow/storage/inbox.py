"""The inbox: which files and photo folders of an account lie there, left alone long enough."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from reelflow.exceptions import MediaUnreadableError
from reelflow.source import file_identity
from reelflow.storage.files import status_at

SIDECAR_SUFFIX: Final = ".json"

#: What Windows leaves in a folder of pictures; it is no part of a post. All hidden names are none.
_FOLDER_LITTER: Final = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})
#: What a Mac leaves there: nobody misses it when the emptied folder goes.
_HIDDEN_LITTER: Final = (".DS_Store", "._")


@dataclass(frozen=True)
class InboxFile:
    """A file in the inbox, with its sidecar if it has one.

    :param account: name of the account's folder it lies in
    :param inode: with size and mtime, which file it is, so that a path used again is another file;
        as :func:`~reelflow.source.file_identity` gives them
    :param sidecar_identity: inode, size in bytes and change time in ns of the sidecar
    :param folder: name of the photo folder it lies in, if it does
    """

    account: str
    path: Path
    sidecar: Path | None
    inode: int
    size_bytes: int
    mtime_ns: int
    sidecar_identity: tuple[int, int, int] | None = None
    folder: str | None = None

    @property
    def inbox_path(self) -> str:
        """Where it lies, relative to the inbox, as the ledger keeps it.

        The names are percent-encoded: names are bytes, and not all bytes can be stored as text.
        """
        names = [self.path.name] if self.folder is None else [self.folder, self.path.name]
        return "/".join([self.account, *(_quoted(name) for name in names)])

    @property
    def files(self) -> tuple[InboxFile, ...]:
        """The files of the post that it becomes: itself."""
        return (self,)


@dataclass(frozen=True)
class InboxFolder:
    """A folder in the inbox whose files become one photo post, with its sidecar if it has one.

    :param inode: of the folder itself
    :param files: every file in it but hidden ones and what systems leave there, by name; whether
        they are images is judged later
    :param inner_folders: names of the folders in it, which cannot be posted
    :param is_closed: this user may not move files out of it
    """

    account: str
    path: Path
    sidecar: Path | None
    inode: int
    files: tuple[InboxFile, ...]
    inner_folders: tuple[str, ...] = ()
    is_closed: bool = False
    sidecar_identity: tuple[int, int, int] | None = None

    @property
    def inbox_path(self) -> str:
        """Where it lies, relative to the inbox, as :attr:`InboxFile.inbox_path` writes it."""
        return f"{self.account}/{_quoted(self.path.name)}"


def source_in(inbox: Path, inbox_path: str) -> Path:
    """Return the file that an inbox path of the ledger names.

    :raises MediaUnreadableError: it would lie outside of the inbox
    """
    names = [os.fsdecode(unquote_to_bytes(quoted)) for quoted in inbox_path.split("/")]
    if any(name in ("", ".", "..") or "/" in name for name in names):
        raise MediaUnreadableError(
            f"{inbox_path!r} is not a path in the inbox: the ledger was tampered with"
        )
    return inbox.joinpath(*names)


def quiet_files(folder: Path, quiet_since_s: float) -> Iterator[InboxFile]:
    """Give the files of an account's folder that were left alone, together with their sidecars."""
    entries = listing(folder)
    for name, status in sorted(entries.items()):
        if name.startswith(".") or stat.S_ISDIR(status.st_mode) or name.endswith(SIDECAR_SUFFIX):
            continue
        sidecar = _sidecar_in(entries, name)
        # ctime, because a copy that keeps its source's mtime looks old while it grows.
        newest_s = max(status.st_ctime, sidecar.st_ctime if sidecar else 0.0)
        if newest_s <= quiet_since_s:
            inode, size_bytes, mtime_ns = file_identity(status)
            yield InboxFile(
                account=folder.name,
                path=folder / name,
                sidecar=sidecar_of(folder / name) if sidecar else None,
                inode=inode,
                size_bytes=size_bytes,
                mtime_ns=mtime_ns,
                sidecar_identity=sidecar_identity(sidecar),
            )


def quiet_folders(folder: Path, quiet_since_s: float) -> Iterator[InboxFolder]:
    """Give the photo folders of an account's folder that were left alone as a whole."""
    entries = listing(folder)
    for name, status in sorted(entries.items()):
        if name.startswith(".") or not stat.S_ISDIR(status.st_mode):
            continue
        sidecar = _sidecar_in(entries, name)
        newest_s = max(status.st_ctime, sidecar.st_ctime if sidecar else 0.0)
        if newest_s > quiet_since_s:
            continue
        is_closed = not os.access(folder / name, os.R_OK | os.W_OK | os.X_OK)
        inner = {} if is_closed else listing(folder / name)
        # Hidden files count here: a program that copies to one and renames is not done yet.
        if all(at.st_ctime <= quiet_since_s for at in inner.values()):
            yield _folder(folder / name, status, inner, sidecar, is_closed=is_closed)


def folder_at(path: Path) -> InboxFolder | None:
    """Return a photo folder as it is now; None when none is there."""
    status, sidecar = status_at(path), status_of_sidecar(path)
    if status is None or not stat.S_ISDIR(status.st_mode):
        return None
    plain = None if sidecar is None or stat.S_ISDIR(sidecar.st_mode) else sidecar
    return _folder(path, status, listing(path), plain, is_closed=False)


def _folder(
    path: Path,
    status: os.stat_result,
    entries: Mapping[str, os.stat_result],
    sidecar: os.stat_result | None,
    *,
    is_closed: bool,
) -> InboxFolder:
    shown = {name: at for name, at in sorted(entries.items()) if not _is_litter(name)}
    account = path.parent.name
    return InboxFolder(
        account=account,
        path=path,
        sidecar=sidecar_of(path) if sidecar else None,
        inode=file_identity(status)[0],
        files=tuple(
            InboxFile(account, path / name, None, *file_identity(at), folder=path.name)
            for name, at in shown.items()
            if not stat.S_ISDIR(at.st_mode)
        ),
        inner_folders=tuple(name for name, at in shown.items() if stat.S_ISDIR(at.st_mode)),
        is_closed=is_closed,
        sidecar_identity=sidecar_identity(sidecar),
    )


def lonely_sidecars(folder: Path, quiet_since_s: float) -> list[str]:
    """Return the names of quiet sidecars beside which nothing lies, sorted."""
    entries = listing(folder)
    return sorted(
        name
        for name, status in entries.items()
        if name.endswith(SIDECAR_SUFFIX) and not name.startswith(".")
        if not stat.S_ISDIR(status.st_mode)
        if name.removesuffix(SIDECAR_SUFFIX) not in entries
        if status.st_ctime <= quiet_since_s
    )


def remove_emptied(folder: Path) -> bool:
    """Remove a photo folder out of which every image was taken, with what systems left there.

    :return: whether it is gone; one in which something else lies stays
    """
    entries = listing(folder)
    if not all(_is_litter(name) and not stat.S_ISDIR(at.st_mode) for name, at in entries.items()):
        return False
    hidden = [name for name in entries if name.startswith(".")]
    if not all(name.startswith(_HIDDEN_LITTER) for name in hidden):
        return False  # a copy that is not done, or something that somebody hid
    for name in entries:
        (folder / name).unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError as exc:
        if exc.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
    return status_at(folder) is None


def listing(folder: Path) -> dict[str, os.stat_result]:
    """Return what lies in a folder; nothing when it is none, without what vanishes meanwhile."""
    entries: dict[str, os.stat_result] = {}
    try:
        with os.scandir(folder) as found:
            for entry in found:
                with suppress(FileNotFoundError):
                    entries[entry.name] = entry.stat(follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return entries


def sidecar_of(path: Path) -> Path:
    """Return where the sidecar of a file or folder lies."""
    return path.with_name(path.name + SIDECAR_SUFFIX)


def status_of_sidecar(path: Path) -> os.stat_result | None:
    """Return what lies where a file's or folder's sidecar would."""
    try:
        return status_at(sidecar_of(path))
    except OSError as exc:
        if exc.errno == errno.ENAMETOOLONG:  # so long a name has no room for a sidecar's
            return None
        raise


def sidecar_identity(status: os.stat_result | None) -> tuple[int, int, int] | None:
    """Return which file a sidecar is; None for a folder, which is none."""
    if status is None or stat.S_ISDIR(status.st_mode):
        return None
    return status.st_ino, status.st_size, status.st_ctime_ns


def _sidecar_in(entries: Mapping[str, os.stat_result], name: str) -> os.stat_result | None:
    sidecar = entries.get(name + SIDECAR_SUFFIX)
    return None if sidecar is None or stat.S_ISDIR(sidecar.st_mode) else sidecar


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _FOLDER_LITTER


def _quoted(name: str) -> str:
    return quote_from_bytes(os.fsencode(name), safe="")
