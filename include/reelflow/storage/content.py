"""Bytes on their way into a store: read in bounded blocks, counted and hashed as they pass."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from typing import Final

from reelflow.exceptions import ContentMismatchError
from reelflow.storage.base import ByteStream, MultipartUpload

_MIB: Final = 1024 * 1024
#: S3's own bounds (AmazonS3 user guide, qfacts), but for the most: a part is held in memory.
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


def whole_part(
    upload: MultipartUpload, number: int, content: bytes | ByteStream, *, sha256: str
) -> bytes:
    """Return a part of an upload, checked before any of it is written.

    :raises ContentMismatchError: it is not of its size, or does not hash to ``sha256``
    """
    size_bytes = upload.size_of_part(number)
    blocks = checked_blocks(
        content, key=upload.key, size_bytes=size_bytes, sha256=sha256, block_bytes=size_bytes
    )
    return b"".join(blocks)


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
