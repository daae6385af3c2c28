"""Objects in a bucket of S3, or of a storage that speaks its protocol."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import unquote

from botocore.exceptions import ClientError

from reelflow.exceptions import (
    ObjectExistsError,
    ObjectNotFoundError,
    ReelflowError,
    UploadNotFoundError,
)
from reelflow.storage.base import ByteStream, FolderInfo, MultipartUpload, ObjectInfo
from reelflow.storage.content import checked_blocks
from reelflow.storage.s3_bucket import answered_at, head_info, info_of
from reelflow.storage.s3_errors import PRECONDITION, code_of, s3_errors
from reelflow.storage.s3_moves import S3Moves
from reelflow.storage.s3_presigning import S3Presigning
from reelflow.storage.s3_reader import S3Reader, changed
from reelflow.storage.s3_uploads import BLOCK_BYTES, S3Uploads, checksum_of, exists, new_object

#: Metadata by which a writer knows its own object again when it is told that one is there: the
#: answer to its first try may have been lost.
_WRITER: Final = "reelflow-writer"


class S3Store(S3Uploads, S3Moves, S3Presigning):
    """A :class:`~reelflow.storage.base.MediaStore` and ``PresigningStore``.

    A put has a block of 8 MiB in memory at a time; a part of an upload is there as a whole, and so
    is a range that is read, but for a stream, of which nothing is kept. With boto3's own copies
    that is less than three times as much, whatever the object's size. A put of more than 8 MiB is
    an upload in parts, which a crash leaves among :meth:`begun`. S3 copies at most 5 GiB in one
    request: more cannot be moved.

    An object's identity is its ETag. What is in the bucket under a name that no file can have (a
    part that is empty, ``.`` or ``..``) is not seen.
    """

    def list(self, folder: str = "") -> Iterator[ObjectInfo]:
        """See :meth:`ObjectStore.list <reelflow.storage.base.ObjectStore.list>`."""
        prefix = f"{self._raw_key(folder)}/" if folder else self._prefix
        pages = self._client.get_paginator("list_objects_v2")
        with s3_errors(self._bucket, prefix):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for found in page.get("Contents", []):
                    key = self._key_at(found["Key"])
                    if key is not None:
                        yield info_of(
                            key,
                            etag=found["ETag"],
                            size_bytes=found["Size"],
                            modified_at=found["LastModified"],
                        )

    @contextmanager
    def open(self, key: str, *, identity: str | None = None) -> Iterator[S3Reader]:
        """See :meth:`ObjectStore.open <reelflow.storage.base.ObjectStore.open>`."""
        info, raw_key = self.stat(key), self._raw_key(key)
        if info is None:
            raise ObjectNotFoundError(
                f"s3://{self._bucket}/{raw_key} does not exist: it was moved or deleted",
                bucket=self._bucket,
                key=key,
            )
        if identity not in (None, info.identity):
            raise changed(self._bucket, raw_key)
        yield S3Reader(self._client, self._bucket, raw_key, info=info)

    def check_room(self, size_bytes: int) -> None:
        """See :meth:`ObjectStore.check_room <reelflow.storage.base.ObjectStore.check_room>`."""

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
        """See :meth:`ObjectStore.put <reelflow.storage.base.ObjectStore.put>`."""
        blocks = checked_blocks(
            content, key=key, size_bytes=size_bytes, sha256=sha256, block_bytes=BLOCK_BYTES
        )
        writer = uuid.uuid4().hex
        described = {**new_object(content_type), "Metadata": {_WRITER: writer}}
        put = self._put_at_once if size_bytes <= BLOCK_BYTES else self._put_in_parts
        try:
            return put(key, blocks, size_bytes, described, only_if_absent=only_if_absent)
        except (ObjectExistsError, UploadNotFoundError):
            head = self._head(key)
            if head is None or head["Metadata"].get(_WRITER) != writer:
                raise
            return head_info(key, head)

    def delete(self, key: str) -> None:
        """See :meth:`ObjectStore.delete <reelflow.storage.base.ObjectStore.delete>`."""
        raw_key = self._raw_key(key)
        with s3_errors(self._bucket, raw_key):
            self._client.delete_object(Bucket=self._bucket, Key=raw_key)

    def look_into(self, folder: str, *, depth: int) -> Iterator[ObjectInfo | FolderInfo]:
        """See :meth:`FolderStore.look_into <reelflow.storage.base.FolderStore.look_into>`.

        It is one listing of all that lies below, a request for each thousand of it.
        """
        above = len(folder.split("/")) if folder else 0
        last: list[str] = []
        for info in self.list(folder):
            parts = info.key.split("/")
            for level in range(above + 1, min(len(parts), above + depth + 1)):
                if parts[:level] != last[:level]:
                    yield FolderInfo("/".join(parts[:level]))
            last = parts[:-1]
            if len(parts) <= above + depth:
                yield info

    def make_folder(self, folder: str) -> None:
        """Do nothing: a bucket has a folder as soon as something is put into it."""

    def remove_folder(self, folder: str) -> bool:
        """Say whether nothing lies below a folder, which is then none."""
        return next(self.list(folder), None) is None

    def shown(self, key: str) -> str:
        """Return the URI, as the tools of AWS take it."""
        raw_key = self._prefix + unquote(key, errors="replace")
        return f"s3://{self._bucket}/{raw_key}"

    def check(self, folders: Iterable[str]) -> None:
        """See :meth:`FolderStore.check <reelflow.storage.base.FolderStore.check>`."""
        for folder in folders:
            next(self.list(folder), None)
            return  # one answers for all: permissions are those of the prefix

    def _put_at_once(
        self,
        key: str,
        blocks: Iterator[bytes],
        size_bytes: int,
        described: Mapping[str, Any],
        *,
        only_if_absent: bool,
    ) -> ObjectInfo:
        content = b"".join(blocks)
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if only_if_absent else {}
        raw_key = self._raw_key(key)
        with s3_errors(self._bucket, raw_key):
            try:
                answer = self._client.put_object(
                    Bucket=self._bucket,
                    Key=raw_key,
                    Body=content,
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=checksum_of(content),
                    **described,
                    **condition,
                )
            except ClientError as exc:
                if code_of(exc) in PRECONDITION:
                    raise exists(self._bucket, raw_key) from exc
                raise
        modified_at = answered_at(answer["ResponseMetadata"])
        return info_of(key, etag=answer["ETag"], size_bytes=size_bytes, modified_at=modified_at)

    def _put_in_parts(
        self,
        key: str,
        blocks: Iterator[bytes],
        size_bytes: int,
        described: Mapping[str, Any],
        *,
        only_if_absent: bool,
    ) -> ObjectInfo:
        upload = MultipartUpload(self._begin(key, described), key, size_bytes, BLOCK_BYTES)
        try:
            parts = [
                self._put_part(upload, number, block, checksum_of(block))
                for number, block in enumerate(blocks, 1)
            ]
            return self._complete(upload, parts, only_if_absent=only_if_absent)
        except BaseException:
            with suppress(ReelflowError):  # what went wrong first is what is told
                self.abort(upload)
            raise
