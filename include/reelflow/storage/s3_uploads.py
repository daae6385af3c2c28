"""Uploads in parts into a bucket, each part checked by S3 against its SHA-256."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from reelflow.digest import sha256_of
from reelflow.exceptions import ObjectExistsError, UploadNotFoundError
from reelflow.storage.base import BegunUpload, MultipartUpload, ObjectInfo, PartWriter
from reelflow.storage.content import (
    PartCheck,
    check_part_sizes,
    hash_mismatch,
    parts_missing,
    upload_not_found,
)
from reelflow.storage.s3_bucket import S3Bucket, answered_at, info_of
from reelflow.storage.s3_errors import code_of, s3_errors
from reelflow.storage.s3_part import MissingS3Part, RepeatedS3Part, checksum_of_hex, only_writer
from reelflow.storage.s3_parts_seen import PartsSeen
from reelflow.storage.s3_reader import S3Reader

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, PartTypeDef

#: One part or range in memory at a time.
BLOCK_BYTES: Final = 8 * 1024 * 1024


class S3Uploads(S3Bucket):
    """A :class:`~reelflow.storage.base.MultipartStore` in a bucket."""

    def __init__(self, client: S3Client, bucket: str, prefix: str = "") -> None:
        super().__init__(client, bucket, prefix)
        self._seen = PartsSeen()

    def begin(
        self, key: str, *, size_bytes: int, part_size_bytes: int, content_type: str | None = None
    ) -> MultipartUpload:
        """See :meth:`MultipartStore.begin <reelflow.storage.base.MultipartStore.begin>`."""
        check_part_sizes(size_bytes=size_bytes, part_size_bytes=part_size_bytes)
        upload_id = self._begin(key, new_object(content_type))
        return MultipartUpload(upload_id, key, size_bytes, part_size_bytes)

    @contextmanager
    def open_part(
        self, upload: MultipartUpload, number: int, *, sha256: str | None = None
    ) -> Iterator[PartWriter]:
        """See :meth:`MultipartStore.open_part <reelflow.storage.base.MultipartStore.open_part>`.

        It is hashed even if nobody says what to: S3 compares what it gets with that. Until then
        it lies in a temporary file of this machine.
        """
        check = PartCheck(upload, number, sha256=sha256, is_hashed=True)
        with only_writer(upload, number):
            stored = self._stored_checksum(upload, number)
            if stored is not None:
                self._seen.add(upload.upload_id, [number])
                yield RepeatedS3Part(check, checksum=stored)
                return
            with tempfile.TemporaryFile() as aside:
                send = partial(self._store_part, upload, number)
                yield MissingS3Part(check, aside=aside, send=send)

    def missing_parts(self, upload: MultipartUpload) -> list[int]:
        """See :meth:`MultipartStore.missing_parts`, of ``reelflow.storage.base``."""
        return _missing(upload, self._parts(upload))

    def received_parts(self, upload: MultipartUpload) -> int:
        """See :meth:`MultipartStore.received_parts`, of ``reelflow.storage.base``."""
        every = range(1, upload.part_count + 1)
        return self._seen.count(
            upload.upload_id, lambda: set(every).difference(self.missing_parts(upload))
        )

    def complete(
        self, upload: MultipartUpload, *, sha256: str | None = None, only_if_absent: bool = False
    ) -> ObjectInfo:
        """See :meth:`MultipartStore.complete <reelflow.storage.base.MultipartStore.complete>`.

        S3 has no SHA-256 of a whole that came in parts, and shows parts to nobody. So with
        ``sha256`` the object is there before it is checked, and deleted when it fails: use a key
        that nobody knows yet.
        """
        parts = self._parts(upload)
        if missing := _missing(upload, parts):
            raise parts_missing(upload, missing)
        completed = [_completed(part) for part in parts]
        info = self._complete(upload, completed, only_if_absent=only_if_absent)
        if sha256 is not None:
            self._check_whole(info, sha256)
        return info

    def abort(self, upload: MultipartUpload | BegunUpload) -> None:
        """See :meth:`MultipartStore.abort <reelflow.storage.base.MultipartStore.abort>`."""
        with suppress(UploadNotFoundError), self._upload_errors(upload):
            self._client.abort_multipart_upload(
                Bucket=self._bucket, Key=self._raw_key(upload.key), UploadId=upload.upload_id
            )

    def begun(self) -> Iterator[BegunUpload]:
        """See :meth:`MultipartStore.begun <reelflow.storage.base.MultipartStore.begun>`."""
        after: dict[str, Any] = {}
        with s3_errors(self._bucket):
            while True:
                # Not boto3's paginator: it would send the encoded marker back as it is.
                page = self._client.list_multipart_uploads(
                    Bucket=self._bucket, Prefix=self._prefix, EncodingType="url", **after
                )
                is_encoded = page.get("EncodingType") == "url"
                for found in page.get("Uploads", []):
                    key = self._key_at(_decoded(found["Key"], is_encoded=is_encoded))
                    if key is not None:
                        yield BegunUpload(found["UploadId"], key, found["Initiated"])
                if not page.get("IsTruncated"):
                    return
                marker = _decoded(page["NextKeyMarker"], is_encoded=is_encoded)
                after = {"KeyMarker": marker, "UploadIdMarker": page["NextUploadIdMarker"]}

    def _begin(self, key: str, described: Mapping[str, Any]) -> str:
        raw_key = self._raw_key(key)
        with s3_errors(self._bucket, raw_key):
            answer = self._client.create_multipart_upload(
                Bucket=self._bucket,
                Key=raw_key,
                ChecksumAlgorithm="SHA256",
                **described,
            )
        return answer["UploadId"]

    def _store_part(
        self, upload: MultipartUpload, number: int, part: IO[bytes], checksum: str
    ) -> None:
        self._put_part(upload, number, part, checksum)
        self._seen.add(upload.upload_id, [number])

    def _put_part(
        self, upload: MultipartUpload, number: int, part: bytes | IO[bytes], checksum: str
    ) -> CompletedPartTypeDef:
        with self._upload_errors(upload):
            answer = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._raw_key(upload.key),
                UploadId=upload.upload_id,
                PartNumber=number,
                Body=part,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=checksum,
            )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    def _stored_checksum(self, upload: MultipartUpload, number: int) -> str | None:
        """Return the checksum of a part that is there whole, if S3 tells it."""
        with self._upload_errors(upload):
            page = self._client.list_parts(
                Bucket=self._bucket,
                Key=self._raw_key(upload.key),
                UploadId=upload.upload_id,
                PartNumberMarker=number - 1,
                MaxParts=1,
            )
        for part in page.get("Parts", []):
            if (part["PartNumber"], part["Size"]) == (number, upload.size_of_part(number)):
                return part.get("ChecksumSHA256")
        return None

    def _parts(self, upload: MultipartUpload) -> list[PartTypeDef]:
        pages = self._client.get_paginator("list_parts").paginate(
            Bucket=self._bucket, Key=self._raw_key(upload.key), UploadId=upload.upload_id
        )
        with self._upload_errors(upload):
            return [part for page in pages for part in page.get("Parts", [])]

    def _complete(
        self,
        upload: MultipartUpload,
        parts: Sequence[CompletedPartTypeDef],
        *,
        only_if_absent: bool,
    ) -> ObjectInfo:
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if only_if_absent else {}
        with self._upload_errors(upload):
            answer = self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._raw_key(upload.key),
                UploadId=upload.upload_id,
                MultipartUpload={"Parts": parts},
                **condition,
            )
        return info_of(
            upload.key,
            etag=answer["ETag"],
            size_bytes=upload.size_bytes,
            modified_at=answered_at(answer["ResponseMetadata"]),
        )

    def _check_whole(self, info: ObjectInfo, sha256: str) -> None:
        """Read a new object once; delete it when it is not what it must be."""
        raw_key = self._raw_key(info.key)
        reader = S3Reader(self._client, self._bucket, raw_key, info=info)
        actual = sha256_of(reader)
        if actual != sha256:
            with s3_errors(self._bucket, raw_key):
                self._client.delete_object(Bucket=self._bucket, Key=raw_key)
            raise hash_mismatch(info.key, expected=sha256, actual=actual)

    @contextmanager
    def _upload_errors(self, upload: MultipartUpload | BegunUpload) -> Iterator[None]:
        raw_key = self._raw_key(upload.key)
        with s3_errors(self._bucket, raw_key):
            try:
                yield
            except ClientError as exc:
                if code_of(exc) == "NoSuchUpload":
                    shown = f"s3://{self._bucket}/{raw_key}"
                    raise upload_not_found(upload.key, shown=shown) from exc
                if code_of(exc) == "PreconditionFailed":
                    raise exists(self._bucket, raw_key) from exc
                raise


def new_object(content_type: str | None) -> dict[str, Any]:
    """Return the arguments that say what a new object is."""
    return {} if content_type is None else {"ContentType": content_type}


def checksum_of(content: bytes) -> str:
    """Return a SHA-256 as S3 wants it."""
    return checksum_of_hex(hashlib.sha256(content).hexdigest())


def exists(bucket: str, raw_key: str) -> ObjectExistsError:
    """Return the error for a key that is taken."""
    return ObjectExistsError(
        f"s3://{bucket}/{raw_key} exists already and was left as it is: choose another name, or"
        " delete it first",
        bucket=bucket,
        key=raw_key,
    )


def _missing(upload: MultipartUpload, parts: Sequence[PartTypeDef]) -> list[int]:
    sizes = {part["PartNumber"]: part["Size"] for part in parts}
    numbers = range(1, upload.part_count + 1)
    return [number for number in numbers if sizes.get(number) != upload.size_of_part(number)]


def _completed(part: PartTypeDef) -> CompletedPartTypeDef:
    completed: CompletedPartTypeDef = {"PartNumber": part["PartNumber"], "ETag": part["ETag"]}
    if "ChecksumSHA256" in part:
        completed["ChecksumSHA256"] = part["ChecksumSHA256"]
    return completed


def _decoded(raw_key: str, *, is_encoded: bool) -> str:
    return unquote_plus(raw_key) if is_encoded else raw_key
