"""The inbox: which files and photo folders of an account lie there, left alone long enough."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from reelflow.exceptions import InvalidObjectKeyError
from reelflow.storage.base import FolderInfo, FolderStore, MediaStore, ObjectInfo, ObjectStore
from reelflow.storage.keys import key_of, names_in

INBOX: Final = "inbox"
SIDECAR_SUFFIX: Final = ".json"

#: What lies deeper than a file in a photo folder of an account is looked at by nobody.
_DEPTH: Final = 3
#: What Windows leaves in a folder of pictures; it is no part of a post. All hidden names are none.
_FOLDER_LITTER: Final = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})
#: What a Mac leaves there: nobody misses it when the emptied folder goes.
_HIDDEN_LITTER: Final = (".DS_Store", "._")
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class InboxFile:
    """A file in the inbox, and whether it has a sidecar.

    :param account: name of the account's folder it lies in
    :param identity: the store's; a path used again for other bytes is another file
    :param sidecar_identity: None without a sidecar
    :param folder: name of the photo folder it lies in, if it does
    """

    account: str
    key: str
    identity: str
    size_bytes: int
    sidecar_identity: str | None = None
    folder: str | None = None

    @property
    def name(self) -> str:
        """Its name, as the system gives it: hostile."""
        return names_in(self.key)[-1]

    @property
    def inbox_path(self) -> str:
        """Where it lies, relative to the inbox, as the ledger keeps it: percent-encoded."""
        return self.key.removeprefix(f"{INBOX}/")

    @property
    def files(self) -> tuple[InboxFile, ...]:
        """The files of the post that it becomes: itself."""
        return (self,)


@dataclass(frozen=True)
class InboxFolder:
    """A folder in the inbox whose files become one photo post, and whether it has a sidecar.

    :param files: every file in it but hidden ones and what systems leave there, by name; whether
        they are images is judged later
    :param inner_folders: names of the folders in it, which cannot be posted
    :param is_closed: this user may not move files out of it
    """

    account: str
    key: str
    files: tuple[InboxFile, ...]
    inner_folders: tuple[str, ...] = ()
    is_closed: bool = False
    sidecar_identity: str | None = None

    @property
    def name(self) -> str:
        """Its name, as the system gives it: hostile."""
        return names_in(self.key)[-1]

    @property
    def inbox_path(self) -> str:
        """Where it lies, relative to the inbox, as :attr:`InboxFile.inbox_path` writes it."""
        return self.key.removeprefix(f"{INBOX}/")

    @property
    def identity(self) -> str:
        """Another one whenever one of its files is."""
        lines = (f"{file.key} {file.identity}\n" for file in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class _Inner:
    """What lies directly in a folder, by the last part of its key."""

    objects: dict[str, ObjectInfo]
    folders: dict[str, FolderInfo]

    def sidecar(self, name: str) -> ObjectInfo | None:
        return self.objects.get(name + SIDECAR_SUFFIX)


class InboxListing:
    """The whole inbox at one moment.

    :param entries: all that lies in it, three levels deep
    """

    def __init__(self, entries: Iterable[ObjectInfo | FolderInfo]) -> None:
        self._inner = _by_folder(entries)

    @property
    def account_folders(self) -> list[str]:
        """The names of the folders in the inbox, sorted; hostile."""
        return sorted(names_in(folder.key)[-1] for folder in self._at(INBOX).folders.values())

    @property
    def stray_files(self) -> list[str]:
        """The names of the files that lie in no account's folder, sorted; hostile."""
        found = self._at(INBOX).objects
        return sorted(names_in(file.key)[-1] for file in found.values() if not _is_litter(file.key))

    def is_closed(self, account: str) -> bool:
        """Whether an account's folder exists, but this user may not move files out of it."""
        folder = self._at(INBOX).folders.get(key_of(account))
        return folder is not None and folder.is_closed

    def quiet_files(self, account: str, quiet_since: datetime) -> Iterator[InboxFile]:
        """Give the files that nobody has written to for a while, together with their sidecars.

        Hidden files are left alone, so a program may copy to ``.name`` and rename. A sidecar
        alone waits for its file, and files in a folder out of which nothing may be moved wait too.
        """
        inner = self._of(account)
        for name, found in inner.objects.items():
            if name.startswith(".") or name.endswith(SIDECAR_SUFFIX):
                continue
            sidecar = inner.sidecar(name)
            if max(found.modified_at, _time_of(sidecar)) <= quiet_since:
                yield InboxFile(
                    account, found.key, found.identity, found.size_bytes, _identity_of(sidecar)
                )

    def quiet_folders(self, account: str, quiet_since: datetime) -> Iterator[InboxFolder]:
        """Give the photo folders in which nobody has done anything for a while.

        A hidden folder is left alone, so a program may fill ``.name`` and rename it.
        """
        outer = self._of(account)
        for name, folder in outer.folders.items():
            if name.startswith("."):
                continue
            sidecar, inner = outer.sidecar(name), self._at(folder.key)
            # Hidden files count here: a program that copies to one and renames is not done yet.
            times = [
                folder.changed_at or _NEVER,
                _time_of(sidecar),
                *(found.modified_at for found in inner.objects.values()),
                *(found.changed_at or _NEVER for found in inner.folders.values()),
            ]
            if max(times) <= quiet_since:
                yield _photo_folder(account, folder, inner, _identity_of(sidecar))

    def lonely_sidecars(self, account: str, quiet_since: datetime) -> list[str]:
        """Return the names of quiet sidecars beside which nothing lies, sorted."""
        inner = self._of(account)
        names = inner.objects.keys() | inner.folders.keys()
        return sorted(
            names_in(found.key)[-1]
            for name, found in inner.objects.items()
            if name.endswith(SIDECAR_SUFFIX) and not name.startswith(".")
            if name.removesuffix(SIDECAR_SUFFIX) not in names
            if found.modified_at <= quiet_since
        )

    def _of(self, account: str) -> _Inner:
        return self._at(key_of(INBOX, account))

    def _at(self, folder: str) -> _Inner:
        return self._inner.get(folder, _Inner({}, {}))


def read_inbox(store: FolderStore) -> InboxListing:
    """Return what lies in the inbox now."""
    return InboxListing(store.look_into(INBOX, depth=_DEPTH))


def folder_now(store: MediaStore, found: InboxFolder) -> InboxFolder:
    """Return a photo folder as it is now; without files when it is gone."""
    inner = _by_folder(store.look_into(found.key, depth=1)).get(found.key, _Inner({}, {}))
    folder = FolderInfo(found.key, is_closed=found.is_closed)
    sidecar = sidecar_at(store, found.key)
    return _photo_folder(found.account, folder, inner, _identity_of(sidecar))


def remove_emptied(store: MediaStore, folder: str) -> bool:
    """Remove a photo folder out of which every image was taken, with what systems left there.

    :return: whether it is gone; one in which something else lies stays
    """
    entries = list(store.look_into(folder, depth=1))
    if not all(isinstance(entry, ObjectInfo) and _may_go(entry) for entry in entries):
        return False
    for entry in entries:
        store.delete(entry.key)
    return store.remove_folder(folder)


def sidecar_of(key: str) -> str:
    """Return where the sidecar of a file or folder lies."""
    return key + SIDECAR_SUFFIX


def sidecar_at(store: ObjectStore, key: str) -> ObjectInfo | None:
    """Return the sidecar of a file or folder as it is now."""
    try:
        return store.stat(sidecar_of(key))
    except InvalidObjectKeyError:  # so long a name has no room for a sidecar's
        return None


def _by_folder(entries: Iterable[ObjectInfo | FolderInfo]) -> dict[str, _Inner]:
    found: dict[str, _Inner] = {}
    for entry in entries:
        above, _, name = entry.key.rpartition("/")
        inner = found.setdefault(above, _Inner({}, {}))
        if isinstance(entry, FolderInfo):
            inner.folders[name] = entry
        else:
            inner.objects[name] = entry
    return found


def _photo_folder(
    account: str, folder: FolderInfo, inner: _Inner, sidecar_identity: str | None
) -> InboxFolder:
    name = names_in(folder.key)[-1]
    return InboxFolder(
        account=account,
        key=folder.key,
        files=tuple(
            InboxFile(account, file.key, file.identity, file.size_bytes, folder=name)
            for file in inner.objects.values()
            if not _is_litter(file.key)
        ),
        inner_folders=tuple(
            names_in(found.key)[-1] for found in inner.folders.values() if not _is_litter(found.key)
        ),
        is_closed=folder.is_closed,
        sidecar_identity=sidecar_identity,
    )


def _time_of(sidecar: ObjectInfo | None) -> datetime:
    return _NEVER if sidecar is None else sidecar.modified_at


def _identity_of(sidecar: ObjectInfo | None) -> str | None:
    return None if sidecar is None else sidecar.identity


def _is_litter(key: str) -> bool:
    name = names_in(key)[-1]
    return name.startswith(".") or name.lower() in _FOLDER_LITTER


def _may_go(entry: ObjectInfo) -> bool:
    """Whether nobody misses it: no copy that is not done, and nothing that somebody hid."""
    name = names_in(entry.key)[-1]
    return _is_litter(entry.key) and (not name.startswith(".") or name.startswith(_HIDDEN_LITTER))
