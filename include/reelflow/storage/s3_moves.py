"""Moving objects within a bucket, which has no call for that: a copy, then a delete."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import ClientError

from reelflow.exceptions import StorageAccessError
from reelflow.storage.s3_bucket import S3Bucket
from reelflow.storage.s3_errors import PRECONDITION, code_of, s3_errors
from reelflow.storage.s3_reader import changed

#: AmazonS3 API, CopyObject; more is refused as a request that is wrong, which may be said of others
#: (https://github.com/hashicorp/terraform-provider-aws/issues/38102).
_COPY_MAX_BYTES: Final = 5 * 1024**3
_TOO_LARGE: Final = "InvalidRequest"


class S3Moves(S3Bucket):
    """``move`` of an :class:`~reelflow.storage.base.ObjectStore` in a bucket."""

    def move(self, source: str, target: str, *, identity: str | None = None) -> str | None:
        """See :meth:`ObjectStore.move <reelflow.storage.base.ObjectStore.move>`.

        It is a copy by S3, then a delete, each on condition that the source is still the same, so
        that nobody needs to look first who knows what the source must be. What its writer said of
        it stays behind: headers that TikTok would get with it, and tags, which cost permissions of
        their own and may let a lifecycle rule delete it.
        """
        if source == target:
            return self._identity_at(target)
        meant = identity if identity is not None else self._identity_at(source)
        if meant is not None:
            copied = self._copy(source, meant, target)
            if copied is not None:
                self._delete_if_same(source, meant)
                return copied
        there = self._identity_at(target)
        if there is None and self._identity_at(source) is not None:
            raise changed(self._bucket, self._raw_key(source))
        return there

    def _identity_at(self, key: str) -> str | None:
        info = self.stat(key)
        return None if info is None else info.identity

    def _copy(self, source: str, identity: str, target: str) -> str | None:
        """Copy an object within the bucket; None when it is gone or replaced meanwhile.

        :return: the identity of the copy
        """
        raw_key = self._raw_key(source)
        with s3_errors(self._bucket, raw_key):
            try:
                answer = self._client.copy_object(
                    Bucket=self._bucket,
                    Key=self._raw_key(target),
                    CopySource={"Bucket": self._bucket, "Key": raw_key},
                    CopySourceIfMatch=f'"{identity}"',
                    MetadataDirective="REPLACE",
                    TaggingDirective="REPLACE",
                )
            except ClientError as exc:
                if code_of(exc) in PRECONDITION | {"NoSuchKey"}:
                    return None
                if code_of(exc) == _TOO_LARGE:
                    self._check_size(source)
                raise
        return answer["CopyObjectResult"]["ETag"].strip('"')

    def _check_size(self, source: str) -> None:
        info, raw_key = self.stat(source), self._raw_key(source)
        if info is not None and info.size_bytes > _COPY_MAX_BYTES:
            raise StorageAccessError(
                f"s3://{self._bucket}/{raw_key} has {info.size_bytes} bytes, and S3 copies at"
                f" most {_COPY_MAX_BYTES}, so it stays: put a smaller one in its place, or delete"
                " it",
                code="too_large_to_move",
                key=raw_key,
            )

    def _delete_if_same(self, key: str, identity: str) -> None:
        """Delete an object unless another has come in its place, which is then another file."""
        raw_key = self._raw_key(key)
        with s3_errors(self._bucket, raw_key):
            try:
                self._client.delete_object(
                    Bucket=self._bucket, Key=raw_key, IfMatch=f'"{identity}"'
                )
            except ClientError as exc:
                if code_of(exc) not in PRECONDITION | {"NoSuchKey", "404"}:
                    raise
