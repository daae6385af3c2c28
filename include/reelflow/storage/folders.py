"""The folders of Reelflow in a store: inbox, sources, copies, thumbnails, uploads, quarantine.

Names from users never become keys here: a file gets a name of ours when it leaves the inbox. Each
step finishes, when it is done again, what a crash left half done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import PurePosixPath
from typing import Final

from reelflow.exceptions import (
    ConfigurationError,
    MediaUnreadableError,
    ObjectExistsError,
    ObjectNotFoundError,
    SourceChangedError,
    StorageAccessError,
)
from reelflow.source import Source
from reelflow.storage.base import BegunUpload, MediaStore
from reelflow.storage.inbox import (
    INBOX,
    SIDECAR_SUFFIX,
    InboxFile,
    InboxFolder,
    InboxListing,
    folder_now,
    read_inbox,
    remove_emptied,
    sidecar_at,
    sidecar_of,
)
from reelflow.storage.keys import key_of

MEDIA: Final = "media"
PREPARED: Final = "prepared"
THUMBNAILS: Final = "thumbnails"
QUARANTINE: Final = "quarantine"
#: What users upload to look at its analysis, by user.
DASHBOARD: Final = "dashboard-uploads"
#: What browsers upload straight into a bucket, by user; a store that cannot presign has none.
DIRECT: Final = "direct-uploads"
FOLDERS: Final = (INBOX, MEDIA, PREPARED, THUMBNAILS, QUARANTINE, DASHBOARD)
#: Beside them, where no stage looks: what `reelflow doctor` tries out.
PROBES: Final = "doctor"

#: Names in the key of a rejected video: folder, account and post; a photo has one more.
_REJECTED_NAMES: Final = 3

#: Where nobody else writes. Others put their files into the inbox, and a bucket without a prefix of
#: ours may be anybody's.
_OURS: Final = frozenset({MEDIA, PREPARED, THUMBNAILS, QUARANTINE, DASHBOARD, DIRECT, PROBES})


@dataclass(frozen=True)
class Taking:
    """A file to take out of the inbox: where it lies, where it goes, and which file it must be.

    :param inbox_path: as :attr:`InboxFile.inbox_path` gives it
    :param target: a unique key of ours
    :param identity: as the inbox was listed
    :param may_have_sidecar: False where somebody saw that there is none: one that comes later
        stays, for whoever finds it without its file
    """

    inbox_path: str
    target: str
    identity: str
    may_have_sidecar: bool = True

    @property
    def source(self) -> str:
        """Its key in the inbox."""
        return f"{INBOX}/{self.inbox_path}"


@dataclass(frozen=True)
class Kept:
    """A file that Reelflow keeps.

    :param identity: what is under its key, as far as nobody has written to it; None where nobody
        knows
    """

    key: str
    identity: str | None


class Folders:
    """What lies where in a store; keys are what the ledger names.

    :param open_store: called when the store is first needed: many processes only use the ledger
    """

    def __init__(self, open_store: Callable[[], MediaStore]) -> None:
        self._open_store = open_store

    @cached_property
    def store(self) -> MediaStore:
        """The store, opened now."""
        return self._open_store()

    def create(self) -> None:
        """Make the folders that do not exist yet; only their owner may look in.

        :raises ConfigurationError: one cannot be made
        """
        try:
            for name in FOLDERS:
                self.store.make_folder(name)
        except StorageAccessError as exc:
            raise ConfigurationError(
                f"the data folder cannot be used: {exc}", code="data_folder"
            ) from exc

    def check(self) -> None:
        """Raise unless the folders can be used.

        :raises StorageAccessError: they cannot
        """
        self.store.check(FOLDERS)

    def without_places(self, text: str) -> str:
        """Return a text with mere keys, for whom it is nothing where objects are kept."""
        return text.replace(self.store.shown(MEDIA).removesuffix(MEDIA), "")

    def create_account_inbox(self, account: str) -> None:
        """Make the folder into which files for an account are put."""
        self.store.make_folder(key_of(INBOX, account))

    def account_inbox(self, account: str) -> str:
        """Return where files for an account are put, as people look for it."""
        return self.store.shown(key_of(INBOX, account))

    def read_inbox(self) -> InboxListing:
        """Return what lies in the inbox now."""
        return read_inbox(self.store)

    def open(self, key: str, *, identity: str | None = None) -> AbstractContextManager[Source]:
        """Hold a file open, as :meth:`ObjectStore.open` does."""
        return self.store.open(key, identity=identity)

    def open_sidecar(self, found: InboxFile | InboxFolder) -> AbstractContextManager[Source]:
        """Hold the sidecar open that was listed.

        :raises SourceChangedError: it is another one by now
        """
        return self.store.open(sidecar_of(found.key), identity=found.sidecar_identity)

    def holds(self, found: InboxFile | InboxFolder) -> bool:
        """Whether all is as it was found: the very files and sidecar, and nobody wrote to them.

        A sidecar that came, went or changed since the listing is none that was read.
        """
        if isinstance(found, InboxFolder):
            return folder_now(self.store, found) == found
        info = self.store.stat(found.key)
        if info is None or info.identity != found.identity:
            return False
        sidecar = sidecar_at(self.store, found.key)
        return found.sidecar_identity == (sidecar and sidecar.identity)

    def take(self, file: Taking) -> str | None:
        """Move a file, and its sidecar, out of the inbox under a name of ours.

        Doing it again, or in two processes at once, finishes what a crash left half done: the
        target's name is unique, so whatever lies there was taken before.

        :return: its identity where it lies now; None when it is neither in the inbox nor taken
            already
        """
        identity = self._take_one(file)
        is_taken = identity is not None and file.may_have_sidecar
        # A new file of the same name keeps its own sidecar.
        if is_taken and self.store.stat(file.source) is None:
            self._move_sidecar(file.source, file.target)
        return identity

    def take_photos(self, images: Sequence[Taking]) -> list[str | None]:
        """Move the images of one folder, and its sidecar, out of the inbox; the folder goes.

        When one of them is not there any more, none is taken; but once a crash has left them half
        taken, the rest follows, so that it does not become another post.

        :return: for each its identity where it lies now, or None when it is neither in the inbox
            nor taken already
        """
        taken = [self.store.stat(image.target) for image in images]
        if not any(taken) and not all(self._in_inbox(image) for image in images):
            return [None] * len(images)
        identities = [self._take_one(image) for image in images]
        folder = images[0].source.rpartition("/")[0]
        # What came meanwhile is another post, which keeps folder and sidecar.
        is_gone = remove_emptied(self.store, folder)
        if is_gone and images[0].may_have_sidecar:
            self._move_sidecar(folder, images[0].target)
        return identities

    def _in_inbox(self, file: Taking) -> bool:
        info = self.store.stat(file.source)
        return info is not None and info.identity == file.identity

    def _take_one(self, file: Taking) -> str | None:
        try:
            return self.store.move(file.source, file.target, identity=file.identity)
        except SourceChangedError:
            return None

    def _move_sidecar(self, source: str, target: str) -> None:
        found = sidecar_at(self.store, source)
        if found is not None:
            with suppress(SourceChangedError):  # a newer one stays, for whoever finds it alone
                self.store.move(found.key, sidecar_of(target), identity=found.identity)

    def set_aside(
        self, source: Kept, *, account: str, post_id: int, reason: dict[str, object]
    ) -> Kept:
        """Move a rejected file and its sidecar to the quarantine, beside a file that says why.

        :return: where it lies now; the same when it was there already, or somebody deleted it
        """
        extension = PurePosixPath(source.key).suffix
        if extension == ".reason":  # its sidecar would take the name of the reason's file
            extension = ""
        target = key_of(QUARANTINE, account, f"{post_id}{extension}")
        self._put_reason(target, reason)
        kept = self._moved(source, target)
        self._move_sidecar(source.key, target)
        return kept

    def bring_back(self, quarantined: Kept, source: str) -> Kept:
        """Move a file, and its sidecar, out of the quarantine, if it is there."""
        kept = self._moved(quarantined, source)
        self._move_sidecar(quarantined.key, source)
        self.store.delete(_reason_key(quarantined.key))
        return kept

    def set_photos_aside(
        self, sources: Sequence[Kept], *, account: str, post_id: int, reason: dict[str, object]
    ) -> list[Kept]:
        """Move the images of a rejected photo post to a folder of their own in the quarantine.

        Its sidecar and the file that says why lie beside that folder.

        :return: where they lie now, in the same order
        """
        folder = key_of(QUARANTINE, account, str(post_id))
        self._put_reason(folder, reason)
        kept = [
            self._moved(source, f"{folder}/{number:03d}{PurePosixPath(source.key).suffix}")
            for number, source in enumerate(sources, 1)
        ]
        self._move_sidecar(sources[0].key, folder)
        return kept

    def bring_photos_back(self, quarantined: Sequence[Kept], sources: Sequence[str]) -> list[Kept]:
        """Move the images of a photo post, and its sidecar, out of the quarantine again."""
        folder = quarantined[0].key.rpartition("/")[0]
        kept = [self._moved(old, new) for old, new in zip(quarantined, sources, strict=True)]
        self._move_sidecar(folder, sources[0])
        self.store.delete(_reason_key(folder))
        self.store.remove_folder(folder)  # unless something else lies there
        return kept

    def _moved(self, file: Kept, target: str) -> Kept:
        """Move a file of ours, and say what it is there: copies get identities of their own.

        One that somebody deleted stays what and where it was.
        """
        before = self.store.stat(file.key)
        identity = self.store.move(file.key, target)
        if identity is None:
            return file
        if before is not None and before.identity != file.identity:
            return Kept(target, file.identity)  # so that whoever reads it sees that it is another
        return Kept(target, identity)

    def _put_reason(self, quarantined: str, reason: dict[str, object]) -> None:
        # What is no Unicode, from file names, is written as JSON's own escape.
        text = json.dumps(reason, indent=2, ensure_ascii=False) + "\n"
        content = text.encode("utf-8", "backslashreplace")
        key = _reason_key(quarantined)
        self.store.put(key, content, size_bytes=len(content), content_type="application/json")

    def put_candidate(self, media_id: str, number: int, jpeg: bytes) -> str:
        """Keep one of the pictures that a file's cover may be chosen from.

        :return: its key
        """
        key = f"{THUMBNAILS}/{media_id}-{number}.jpg"
        self.store.put(key, jpeg, size_bytes=len(jpeg), content_type="image/jpeg")
        return key

    def delete_candidates(self, keys: Sequence[str]) -> None:
        """Delete pictures that a cover was to be chosen from; gone already is fine."""
        for key in keys:
            self.store.delete(key)

    def put_thumbnail(self, media_id: str, jpeg: bytes) -> str:
        """Keep the cover picture of a file.

        :return: its key
        """
        key = thumbnail_key(media_id)
        self.store.put(key, jpeg, size_bytes=len(jpeg), content_type="image/jpeg")
        return key

    def put_prepared(self, media_id: str, jpeg: bytes) -> Kept:
        """Keep the copy of a photo that TikTok gets, in place of what a crash may have left there.

        What has these very bytes stays: another process may have told the ledger of it already.
        """
        key = prepared_key(media_id)
        content_type, size_bytes = "image/jpeg", len(jpeg)
        try:
            info = self.store.put(
                key, jpeg, size_bytes=size_bytes, content_type=content_type, only_if_absent=True
            )
        except ObjectExistsError:
            kept = self._with_content(key, jpeg)
            if kept is not None:
                return kept
            info = self.store.put(key, jpeg, size_bytes=size_bytes, content_type=content_type)
        return Kept(key, info.identity)

    def _with_content(self, key: str, content: bytes) -> Kept | None:
        """Return what has a key, if it is a plain file of this content."""
        try:
            with self.store.open(key) as source:
                same = source.size_bytes == len(content)
                same = same and source.read_at(0, len(content)) == content
                return Kept(key, source.identity) if same else None
        except (MediaUnreadableError, ObjectNotFoundError, SourceChangedError):
            return None

    def delete_prepared(self, media_id: str) -> None:
        """Delete the copy of a photo, be it in the ledger or not; gone already is fine."""
        self.store.delete(prepared_key(media_id))

    def delete_source(self, source: str) -> None:
        """Delete a source and its sidecar, and why it was rejected; gone already is fine."""
        self.store.delete(source)
        self.store.delete(sidecar_of(source))
        names = PurePosixPath(source).parts
        if names[0] == QUARANTINE:
            self._delete_reason(source, is_photo=len(names) > _REJECTED_NAMES)

    def _delete_reason(self, quarantined: str, *, is_photo: bool) -> None:
        """Delete why a post was rejected; of photos with the last of them, and with its sidecar."""
        if is_photo:
            quarantined = quarantined.rpartition("/")[0]
            if not self.store.remove_folder(quarantined):
                return
            self.store.delete(sidecar_of(quarantined))
        self.store.delete(_reason_key(quarantined))

    def old_uploads(self, *, before: datetime) -> Iterator[BegunUpload]:
        """Give what dead processes of ours left of writes; others' uploads are theirs to end."""
        for upload in self.store.begun():
            is_ours = not upload.key or upload.key.partition("/")[0] in _OURS
            if is_ours and upload.begun_at < before:
                yield upload

    def drop_upload(self, upload: BegunUpload) -> None:
        """Delete what is left of a write; gone already is fine."""
        self.store.abort(upload)


def media_key(media_id: str, extension: str) -> str:
    """Return where a source is kept.

    :param extension: with its dot, or empty
    """
    return key_of(MEDIA, f"{media_id}{extension}")


def dashboard_key(user_id: str, video_id: str, extension: str) -> str:
    """Return where a video is kept that a user uploaded to have it analysed."""
    return key_of(DASHBOARD, user_id, f"{video_id}{extension}")


def presigned_key(user_id: str, job_id: str, extension: str) -> str:
    """Return where a user's browser puts the file of a job."""
    return key_of(DIRECT, user_id, f"{job_id}{extension}")


def prepared_key(media_id: str) -> str:
    """Return where the copy of a photo is kept that TikTok gets."""
    return f"{PREPARED}/{media_id}.jpg"


def thumbnail_key(media_id: str) -> str:
    """Return where a file's cover picture is kept."""
    return f"{THUMBNAILS}/{media_id}.jpg"


def _reason_key(quarantined: str) -> str:
    path = PurePosixPath(quarantined)
    return str(path.with_name(f"{path.stem}.reason{SIDECAR_SUFFIX}"))
