"""Reading ranges of one content of an object."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from reelflow.exceptions import SourceChangedError, StorageUnavailableError
from reelflow.storage.base import ObjectInfo
from reelflow.storage.s3_errors import code_of, s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: How often a range whose bytes break off is asked for. Boto3 itself tries again only until an
#: answer begins.
_ATTEMPTS: Final = 3


class S3Reader:
    """A :class:`~reelflow.source.Source` of an object in a bucket.

    Each read is one request for that range, on condition that the object is still the same
    (``If-Match``), and holds what it returns in memory.

    :param info: which content
    """

    def __init__(self, client: S3Client, bucket: str, raw_key: str, *, info: ObjectInfo) -> None:
        self._client = client
        self._bucket = bucket
        self._raw_key = raw_key
        self._identity = info.identity
        self._size_bytes = info.size_bytes

    @property
    def size_bytes(self) -> int:
        """See :attr:`Source.size_bytes <reelflow.source.Source.size_bytes>`."""
        return self._size_bytes

    @property
    def identity(self) -> str:
        """See :attr:`Source.identity <reelflow.source.Source.identity>`."""
        return self._identity

    def read_at(self, offset: int, count: int) -> bytes:
        """See :meth:`Source.read_at <reelflow.source.Source.read_at>`."""
        end = min(offset + count, self._size_bytes)
        if offset >= end:
            return b""
        with s3_errors(self._bucket, self._raw_key):
            for _ in range(_ATTEMPTS - 1):
                with suppress(HTTPClientError, IncompleteReadError):
                    return self._get(offset, end)
            return self._get(offset, end)

    def _get(self, start: int, end: int) -> bytes:
        try:
            answer = self._client.get_object(
                Bucket=self._bucket,
                Key=self._raw_key,
                Range=f"bytes={start}-{end - 1}",
                IfMatch=f'"{self._identity}"',
            )
        except ClientError as exc:
            if code_of(exc) in ("PreconditionFailed", "412", "InvalidRange", "416"):
                raise changed(self._bucket, self._raw_key) from exc
            raise
        with closing(answer["Body"]) as body:
            # Before it is read: whoever ignores the range would send it all.
            if answer["ContentLength"] != end - start:
                raise StorageUnavailableError(
                    f"s3://{self._bucket}/{self._raw_key}: S3 sends {answer['ContentLength']} bytes"
                    f" for the {end - start} from byte {start} on: check that what answers at the"
                    " connection's endpoint_url gives ranges",
                    bucket=self._bucket,
                    key=self._raw_key,
                )
            return body.read()


def changed(bucket: str, raw_key: str) -> SourceChangedError:
    """Return the error for an object that is not the one it must be."""
    return SourceChangedError(
        f"s3://{bucket}/{raw_key} was replaced since it was looked at: provide it again, and leave"
        " it alone until it is published",
        bucket=bucket,
        key=raw_key,
    )
