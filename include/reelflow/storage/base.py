"""What Reelflow asks of storage: narrow Protocols, each of them one capability.

Two adapters have them: :class:`~reelflow.storage.local_store.LocalStore`, a folder, and
:class:`~reelflow.storage.s3.S3Store`, a bucket. Keys are those of :mod:`reelflow.storage.keys`.

Every method may raise :exc:`~reelflow.exceptions.InvalidObjectKeyError` (the key),
:exc:`~reelflow.exceptions.StorageAccessError` (refused; bucket or folder missing),
:exc:`~reelflow.exceptions.StorageUnavailableError` (try again later) and its subclass
:exc:`~reelflow.exceptions.StorageThrottledError`; what more it raises stands in its own docstring.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from reelflow.source import Source

if TYPE_CHECKING:
    from typing_extensions import Buffer


class ByteStream(Protocol):
    """Something bytes can be read from once, in order."""

    def read(self, count: int, /) -> bytes:
        """Return up to ``count`` bytes; none only at the end."""
        ...


@dataclass(frozen=True)
class ObjectInfo:
    """An object as it is now.

    :param modified_at: UTC, to the second at least: when the store last took something of it, a
        time that nobody can set; of an upload in parts, S3 keeps when it was begun, which may be
        long before the object appeared (AmazonS3 user guide, UsingMetadata)
    :param identity: another one whenever the content may have changed
    :param is_plain: whether it can be opened: False for a link, device or pipe in a local folder
    """

    key: str
    size_bytes: int
    modified_at: datetime
    identity: str
    is_plain: bool = True


@dataclass(frozen=True)
class FolderInfo:
    """A folder as it is now; a bucket has one for as long as something lies below it.

    :param changed_at: UTC: when something last came, went or changed its name in it; None in a
        bucket, which keeps no such time
    :param is_closed: this user may not look into it, or take out what lies in it
    """

    key: str
    changed_at: datetime | None = None
    is_closed: bool = False


@dataclass(frozen=True)
class MultipartUpload:
    """An upload that was begun; whoever has this value, in any process, can go on with it.

    :param upload_id: the store's name for it
    :param part_size_bytes: size of every part but the last, which has the rest
    """

    upload_id: str
    key: str
    size_bytes: int
    part_size_bytes: int

    @property
    def part_count(self) -> int:
        """How many parts there are, numbered from 1."""
        return -(-self.size_bytes // self.part_size_bytes)

    def size_of_part(self, number: int) -> int:
        """Return the size of a part in bytes.

        :raises ValueError: there is no such part
        """
        if not 1 <= number <= self.part_count:
            raise ValueError(f"part {number} is not one of the parts 1 to {self.part_count}")
        return min(self.part_size_bytes, self.size_bytes - (number - 1) * self.part_size_bytes)


@dataclass(frozen=True)
class BegunUpload:
    """An upload that is neither complete nor aborted, as a listing shows it.

    :param key: empty for a single put to a local folder whose process died
    :param begun_at: UTC
    """

    upload_id: str
    key: str
    begun_at: datetime


@dataclass(frozen=True)
class PresignedPost:
    """A form with which a browser uploads one file straight to storage.

    :param url: where it is posted to
    :param fields: its fields, which come before the file's own, ``file``
    """

    url: str
    fields: Mapping[str, str]


class ObjectStore(Protocol):
    """Objects under keys. A reader sees a whole object, old or new, never a half."""

    def stat(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object; None when there is none."""
        ...

    def list(self, folder: str = "") -> Iterator[ObjectInfo]:
        """Give every object below a folder, in the order of the bytes of their names.

        What comes or goes meanwhile may be in it or not. Nothing is below a folder that is none.

        :param folder: a key without an object of its own; empty for all
        """
        ...

    def open(self, key: str, *, identity: str | None = None) -> AbstractContextManager[Source]:
        """Hold an object open for reading.

        :param identity: what it must be
        :raises ObjectNotFoundError: nothing has this key
        :raises SourceChangedError: it is of another identity
        :raises MediaUnreadableError: it is no plain file
        """
        ...

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
        """Store an object, in place of the one that may be there.

        :param size_bytes: how many bytes ``content`` has
        :param sha256: what they must hash to, 64 lower-case hex digits
        :param only_if_absent: of all who try at once, one succeeds
        :raises ContentMismatchError: the bytes are not those; nothing was stored
        :raises ObjectExistsError: ``only_if_absent``, and something has this key
        :raises StorageFullError: no room is left
        """
        ...

    def move(self, source: str, target: str, *, identity: str | None = None) -> str | None:
        """Give an object another key, in place of what may be there.

        A second call finishes what a crash left half done.

        :param identity: what the source must be; a store that need not look first, does not
        :return: the identity of the target now; None when there is neither source nor target. With
            nothing done it is the target's when only that is there, or the source is of another
            identity: it was moved before, as far as a target that nobody else writes can tell
        :raises SourceChangedError: the source is of another identity, and there is no target
        :raises StorageFullError: no room is left
        """
        ...

    def delete(self, key: str) -> None:
        """Delete an object; gone already is fine."""
        ...

    def check_room(self, size_bytes: int) -> None:
        """Raise unless so much more can be taken in, and room is left for what Reelflow does then.

        :raises StorageFullError: it cannot; of a bucket nobody knows, and that never raises
        """
        ...


class FolderStore(Protocol):
    """Folders, for those who look into them; objects themselves need none."""

    def look_into(self, folder: str, *, depth: int) -> Iterator[ObjectInfo | FolderInfo]:
        """Give what lies below a folder, folders too, a folder before what lies in it.

        Nothing is below a folder that is none; a closed one is named and not looked into.

        :param depth: 1 for what lies in the very folder; a folder that deep is not looked into
        """
        ...

    def make_folder(self, folder: str) -> None:
        """Make a folder for others to put something into; one that is there is fine.

        :raises StorageFullError: no room is left
        """
        ...

    def remove_folder(self, folder: str) -> bool:
        """Remove a folder if nothing lies in it.

        :return: whether nothing has this name now
        """
        ...

    def shown(self, key: str) -> str:
        """Return where an object or folder is, as people look for it."""
        ...

    def check(self, folders: Iterable[str]) -> None:
        """Raise unless objects can be kept in these folders, as far as that shows without a write.

        :raises StorageAccessError: they cannot
        """
        ...


class PartWriter(Protocol):
    """One part of an upload on its way, block by block in order; no thread uses it beside another.

    Who leaves it without a commit leaves the part missing, and the others as they are.
    """

    def write(self, *blocks: Buffer) -> None:
        """Take the next bytes, whose memory may be used for others once this returns.

        :raises ContentMismatchError: the part has more than its size (``chunk_length``)
        :raises StorageFullError: no room is left
        """
        ...

    def commit(self) -> str | None:
        """Make the part count, now that all of it was written.

        A part that is stored already stays as it is, and its very bytes again are fine.

        :return: its SHA-256 in 64 lower-case hex digits, where it was needed; else None
        :raises ContentMismatchError: the part has less than its size (``chunk_length``), does not
            hash to what it must (``chunk_digest``), or other bytes were stored as this part before
            (``chunk_differs``)
        :raises UploadNotFoundError: the upload was completed or aborted meanwhile
        """
        ...


class MultipartStore(Protocol):
    """Uploads in parts, by any processes in any order, each part as often as they like."""

    def begin(
        self, key: str, *, size_bytes: int, part_size_bytes: int, content_type: str | None = None
    ) -> MultipartUpload:
        """Begin an upload; nothing is under its key until it is complete.

        :param part_size_bytes: 5 to 64 MiB; an upload has at most 10,000 parts
        :raises ValueError: the sizes are outside of these bounds
        :raises StorageFullError: there is not enough room for the whole
        """
        ...

    def open_part(
        self, upload: MultipartUpload, number: int, *, sha256: str | None = None
    ) -> AbstractContextManager[PartWriter]:
        """Hold a part open for writing, to be committed before the block ends.

        :param number: 1 is the first
        :param sha256: what its bytes must hash to, 64 lower-case hex digits
        :raises ValueError: there is no such part
        :raises PartBusyError: somebody else is writing this part
        :raises UploadNotFoundError: the upload was completed or aborted
        """
        ...

    def missing_parts(self, upload: MultipartUpload) -> list[int]:
        """Return the numbers of the parts that have not been stored whole, in order.

        :raises UploadNotFoundError: the upload was completed or aborted
        """
        ...

    def received_parts(self, upload: MultipartUpload) -> int:
        """Return how many parts have been stored whole; cheap enough to be asked after each.

        Those that this process stored count at once, others' within seconds.

        :raises UploadNotFoundError: the upload was completed or aborted
        """
        ...

    def complete(
        self, upload: MultipartUpload, *, sha256: str | None = None, only_if_absent: bool = False
    ) -> ObjectInfo:
        """Make the parts one object under the upload's key; no byte of them is copied.

        A second call finishes what a crash left half done, or does not find the upload.

        :param sha256: what the whole must hash to; it is read once for that
        :raises ContentMismatchError: parts are missing, or the whole does not hash to ``sha256``
        :raises ObjectExistsError: ``only_if_absent``, and something has this key
        :raises UploadNotFoundError: the upload was completed or aborted
        """
        ...

    def abort(self, upload: MultipartUpload | BegunUpload) -> None:
        """Drop an upload and its parts; gone already is fine."""
        ...

    def begun(self) -> Iterator[BegunUpload]:
        """Give the uploads that nobody has completed or aborted, for cleaning up.

        Those that go on just now are among them, large puts too: only age tells the dead ones.
        """
        ...


class MediaStore(ObjectStore, FolderStore, MultipartStore, Protocol):
    """What Reelflow keeps media in: a local folder or a bucket."""


@runtime_checkable
class PresigningStore(Protocol):
    """URLs under which others read and write the store with their own hands; S3 alone has them."""

    def object_name(self, key: str) -> str:
        """Return what others call an object: its key in the bucket, as S3 itself has it."""
        ...

    def presigned_get(self, key: str, *, lifetime_s: int, content_type: str | None = None) -> str:
        """Return a URL that gives the object to whoever has it; a secret for as long as it lives.

        :param lifetime_s: 1 second to 7 days; one signed with a role's temporary credentials dies
            with them
        :param content_type: what the answer says it is; None for what it was put as
        """
        ...

    def presigned_post(
        self, key: str, *, size_bytes: int, content_type: str, lifetime_s: int
    ) -> PresignedPost:
        """Return a form that uploads one object of this very size under this very key.

        :param size_bytes: storage itself refuses more and less, by the policy that the form is
            signed for; at most 2 GB, because nothing resumes a form
        :param content_type: the one that the form sends; storage refuses another
        :param lifetime_s: 1 second to 7 days, as with :meth:`presigned_get`
        :raises ValueError: size or lifetime are outside of these bounds
        """
        ...
