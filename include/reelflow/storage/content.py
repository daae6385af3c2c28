"""Bytes on their way into a store: in bounded blocks, counted and hashed as they pass."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from reelflow.exceptions import ContentMismatchError, PartBusyError, UploadNotFoundError
from reelflow.storage.base import ByteStream, MultipartUpload

if TYPE_CHECKING:
    from typing_extensions import Buffer

_MIB: Final = 1024 * 1024
#: S3's own bounds (AmazonS3 user guide, qfacts), but for the most: a part is sent in one go.
_PART_MIN_BYTES: Final = 5 * _MIB
_PART_MAX_BYTES: Final = 64 * _MIB
_PARTS_MAX: Final = 10_000


def checked_blocks(
    content: bytes | ByteStream,
    *,
    key: str,
    size_bytes: int,
    sha256: str | None,
    block_bytes: int,
) -> Iterator[bytes]:
    """Give content block by block, each of ``block_bytes`` but the last.

    Whoever takes a block must not publish anything before the iteration has ended.

    :raises ContentMismatchError: it has not ``size_bytes``, or does not hash to ``sha256``
    """
    stream: ByteStream = io.BytesIO(content) if isinstance(content, bytes) else content
    digest = hashlib.sha256()
    left = size_bytes
    while left > 0:
        block = _read_fully(stream, min(block_bytes, left))
        left -= len(block)
        if not block:
            raise _wrong_size(key, f"ends at byte {size_bytes - left}", size_bytes)
        if sha256 is not None:
            digest.update(block)
        yield block
    if stream.read(1):
        raise _wrong_size(key, "goes on", size_bytes)
    if sha256 is not None and digest.hexdigest() != sha256:
        raise hash_mismatch(key, expected=sha256, actual=digest.hexdigest())


def check_part_sizes(*, size_bytes: int, part_size_bytes: int) -> None:
    """Refuse an upload that not every store could take.

    :raises ValueError: saying which bound is broken
    """
    if not _PART_MIN_BYTES <= part_size_bytes <= _PART_MAX_BYTES:
        raise ValueError(f"parts of {part_size_bytes} bytes: choose 5 to 64 MiB")
    if not 1 <= size_bytes <= part_size_bytes * _PARTS_MAX:
        raise ValueError(
            f"an upload of {size_bytes} bytes in parts of {part_size_bytes}: it must have 1 to"
            f" {_PARTS_MAX} parts"
        )


class PartCheck:
    """Counts the bytes of one part of an upload as they pass, and hashes them where it must.

    :param sha256: what they must hash to; None for whatever they do
    :param is_hashed: the hash is needed although nobody says what it must be
    :raises ValueError: there is no such part
    """

    def __init__(
        self, upload: MultipartUpload, number: int, *, sha256: str | None, is_hashed: bool = False
    ) -> None:
        self._size_bytes = upload.size_of_part(number)
        self._sha256 = sha256
        self._digest = hashlib.sha256() if is_hashed or sha256 is not None else None
        self.taken_bytes = 0

    def take(self, blocks: Iterable[Buffer]) -> list[memoryview]:
        """Count the next bytes and return them, before anything is done with them.

        :raises ContentMismatchError: they are more than the part has
        """
        views = [memoryview(block).cast("B") for block in blocks]
        taken_bytes = self.taken_bytes + sum(view.nbytes for view in views)
        if taken_bytes > self._size_bytes:
            raise self._wrong_length("goes on after them: cut the file as the upload was begun")
        if self._digest is not None:
            for view in views:
                self._digest.update(view)
        self.taken_bytes = taken_bytes
        return views

    def finish(self) -> str | None:
        """Return the hash, if there is one, now that no more bytes come.

        :raises ContentMismatchError: they are too few, or do not hash to what they must
        """
        if self.taken_bytes < self._size_bytes:
            raise self._wrong_length(f"ends after {self.taken_bytes}: send it again, whole")
        if self._digest is None:
            return None
        actual = self._digest.hexdigest()
        if self._sha256 not in (None, actual):
            raise ContentMismatchError(
                f"this chunk has the SHA-256 {actual}, not {self._sha256}: it was damaged on the"
                " way; send it again",
                code="chunk_digest",
                expected=self._sha256,
                actual=actual,
            )
        return actual

    def _wrong_length(self, found: str) -> ContentMismatchError:
        return ContentMismatchError(
            f"this chunk must have {self._size_bytes} bytes, and {found}",
            code="chunk_length",
            expected_bytes=self._size_bytes,
        )


def part_differs() -> ContentMismatchError:
    """Return the error for a part that is not the one that was stored before."""
    return ContentMismatchError(
        "other bytes were stored as this chunk before, and stay: send those of the file that the"
        " upload was begun for, or begin another upload",
        code="chunk_differs",
    )


def part_busy() -> PartBusyError:
    """Return the error for a part that somebody else is writing."""
    return PartBusyError(
        "this chunk is being written by another request: wait for the end of that one, then ask"
        " which chunks are missing",
        retry_after_s=1,
    )


def upload_not_found(key: str, *, shown: str | None = None) -> UploadNotFoundError:
    """Return the error for an upload that is not there any more.

    :param shown: how people find the object, where that is not its key
    """
    return UploadNotFoundError(
        f"the upload of {shown or key} was completed, aborted or never begun: look whether the"
        " object is there, or begin anew",
        key=key,
    )


def parts_missing(upload: MultipartUpload, missing: Sequence[int]) -> ContentMismatchError:
    """Return the error for an upload that is not whole."""
    return ContentMismatchError(
        f"the upload of {upload.key} lacks {len(missing)} of {upload.part_count} parts, the first"
        f" is part {missing[0]}: send them, then complete it",
        code="parts_missing",
        key=upload.key,
        missing=list(missing),
    )


def hash_mismatch(key: str, *, expected: str, actual: str) -> ContentMismatchError:
    """Return the error for bytes with another hash."""
    return ContentMismatchError(
        f"the content for {key} has the SHA-256 {actual}, not {expected}: it changed or was damaged"
        " on the way; send it again",
        key=key,
    )


def _wrong_size(key: str, found: str, size_bytes: int) -> ContentMismatchError:
    return ContentMismatchError(
        f"the content for {key} {found}, but {size_bytes} bytes were announced: it was cut or is"
        " still being written; send it again when it is whole",
        key=key,
    )


def _read_fully(stream: ByteStream, count: int) -> bytes:
    block = stream.read(count)
    if not 0 < len(block) < count:
        return block
    parts = [block]
    missing = count - len(block)
    while missing and (more := stream.read(missing)):
        parts.append(more)
        missing -= len(more)
    return b"".join(parts)
