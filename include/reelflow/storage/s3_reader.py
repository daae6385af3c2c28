"""Reading ranges of one content of an object, whole or as they come."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from reelflow.exceptions import SourceChangedError, StorageUnavailableError
from reelflow.storage.base import ObjectInfo
from reelflow.storage.s3_errors import code_of, s3_errors

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from typing_extensions import Buffer

_T = TypeVar("_T")

#: How often a range whose bytes break off is asked for. Boto3 itself tries again only until an
#: answer begins.
_ATTEMPTS: Final = 3


class S3Reader:
    """A :class:`~reelflow.source.StreamedSource` of an object in a bucket.

    Each range is one request, on condition that the object is still the same (``If-Match``).

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

        def read() -> bytes:
            with closing(self._request(offset, end)) as body:
                return body.read()

        with s3_errors(self._bucket, self._raw_key):
            return _attempt(read)

    def stream_at(self, offset: int, count: int) -> S3RangeStream:
        """See :meth:`StreamedSource.stream_at`, of ``reelflow.source``."""
        end = min(offset + count, self._size_bytes)
        return S3RangeStream(self._bucket, self._raw_key, self._request, offset, max(offset, end))

    def _request(self, start: int, end: int) -> StreamingBody:
        """Ask for a range, whose bytes then come as they are read.

        :raises SourceChangedError: it is another object by now
        """
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
        # Before it is read: whoever ignores the range would send it all.
        if answer["ContentLength"] != end - start:
            answer["Body"].close()
            raise StorageUnavailableError(
                f"s3://{self._bucket}/{self._raw_key}: S3 sends {answer['ContentLength']} bytes for"
                f" the {end - start} from byte {start} on: check that what answers at the"
                " connection's endpoint_url gives ranges",
                bucket=self._bucket,
                key=self._raw_key,
            )
        return answer["Body"]


class S3RangeStream:
    """A :class:`~reelflow.source.RangeStream` of an object in a bucket.

    What S3 sends ahead lies in the system's socket, a few MiB, while the reader is busy with what
    came before: no thread reads ahead, and no memory is used for it. When the connection breaks
    off, or S3 tires of a slow reader, the rest is asked for.

    :param request: asks for the bytes from a start to an end
    """

    def __init__(
        self,
        bucket: str,
        raw_key: str,
        request: Callable[[int, int], StreamingBody],
        start: int,
        end: int,
    ) -> None:
        self._bucket = bucket
        self._raw_key = raw_key
        self._request = request
        self._position = start
        self._end = end
        self._body: StreamingBody | None = None

    def readinto(self, buffer: Buffer, /) -> int:
        """See :meth:`RangeStream.readinto <reelflow.source.RangeStream.readinto>`."""
        wanted = memoryview(buffer)[: self._end - self._position]
        if len(wanted) == 0:
            return 0
        with s3_errors(self._bucket, self._raw_key):
            count = _attempt(lambda: self._read(wanted))
        self._position += count
        return count

    def close(self) -> None:
        """See :meth:`RangeStream.close <reelflow.source.RangeStream.close>`."""
        if self._body is not None:
            self._body.close()
            self._body = None

    def _read(self, wanted: memoryview) -> int:
        if self._body is None:
            self._body = self._request(self._position, self._end)
        try:
            return self._body.readinto(wanted)  # type: ignore[arg-type]  # its stub wants a file
        except BaseException:
            self.close()  # whoever tries again asks for the rest
            raise


def _attempt(read: Callable[[], _T]) -> _T:
    """Read; once more, and so on, when the bytes break off."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(HTTPClientError, IncompleteReadError, HTTPError):
            return read()
    return read()


def changed(bucket: str, raw_key: str) -> SourceChangedError:
    """Return the error for an object that is not the one it must be."""
    found = f"s3://{bucket}/{raw_key} was replaced since it was looked at"
    return SourceChangedError(
        f"{found}: provide it again, and leave it alone until it is published",
        found=found,
        bucket=bucket,
        key=raw_key,
    )
