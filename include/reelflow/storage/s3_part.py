"""One part of an upload on its way into a bucket: kept aside until it is whole."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from reelflow.exceptions import StorageFullError, StorageUnavailableError
from reelflow.storage.base import MultipartUpload
from reelflow.storage.content import PartCheck, part_busy, part_differs
from reelflow.storage.local_errors import is_full

if TYPE_CHECKING:
    from typing_extensions import Buffer

_busy: Final[set[tuple[str, int]]] = set()
_busy_lock: Final = threading.Lock()


@contextmanager
def only_writer(upload: MultipartUpload, number: int) -> Iterator[None]:
    """Be the only one in this process to write a part.

    S3 has no locks: of two processes the last one's part counts, and it is whole.

    :raises PartBusyError: somebody else is writing it
    """
    part = (upload.upload_id, number)
    with _busy_lock:
        if part in _busy:
            raise part_busy()
        _busy.add(part)
    try:
        yield
    finally:
        with _busy_lock:
            _busy.remove(part)


class MissingS3Part:
    """A :class:`~reelflow.storage.base.PartWriter` of a part that is not there yet.

    :param check: which hashes
    :param aside: a file to keep it in until its hash is known, which S3 is told before its bytes
    :param send: stores the file, of a checksum
    """

    def __init__(
        self, check: PartCheck, *, aside: IO[bytes], send: Callable[[IO[bytes], str], object]
    ) -> None:
        self._check = check
        self._aside = aside
        self._send = send

    def write(self, *blocks: Buffer) -> None:
        """See :meth:`PartWriter.write <reelflow.storage.base.PartWriter.write>`."""
        for view in self._check.take(blocks):
            with _aside_errors():
                self._aside.write(view)

    def commit(self) -> str | None:
        """See :meth:`PartWriter.commit <reelflow.storage.base.PartWriter.commit>`."""
        sha256 = self._check.finish()
        assert sha256 is not None
        with _aside_errors():
            self._aside.seek(0)
        self._send(self._aside, checksum_of_hex(sha256))
        return sha256


class RepeatedS3Part:
    """A :class:`~reelflow.storage.base.PartWriter` of a part that is there, and only compared.

    :param check: which hashes
    :param checksum: the stored part's
    """

    def __init__(self, check: PartCheck, *, checksum: str) -> None:
        self._check = check
        self._checksum = checksum

    def write(self, *blocks: Buffer) -> None:
        """See :meth:`PartWriter.write <reelflow.storage.base.PartWriter.write>`."""
        self._check.take(blocks)

    def commit(self) -> str | None:
        """See :meth:`PartWriter.commit <reelflow.storage.base.PartWriter.commit>`."""
        sha256 = self._check.finish()
        assert sha256 is not None
        if checksum_of_hex(sha256) != self._checksum:
            raise part_differs()
        return sha256


def checksum_of_hex(sha256: str) -> str:
    """Return a SHA-256 as S3 wants it."""
    return base64.b64encode(bytes.fromhex(sha256)).decode("ascii")


@contextmanager
def _aside_errors() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if is_full(exc):
            raise StorageFullError(
                "no room for a chunk in this machine's folder for temporary files: make room there,"
                " or set TMPDIR to another; nothing was stored"
            ) from exc
        raise StorageUnavailableError(
            f"a chunk cannot be kept in this machine's folder for temporary files ({exc.strerror}):"
            " check its disk, or set TMPDIR to another folder"
        ) from exc
