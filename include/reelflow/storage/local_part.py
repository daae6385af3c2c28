"""One part of an upload on its way to its place in the upload's file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from reelflow.storage.base import MultipartUpload
from reelflow.storage.content import PartCheck, part_differs, upload_not_found
from reelflow.storage.local_errors import local_errors
from reelflow.storage.local_marks import Mark, PartMarks
from reelflow.storage.local_writer import write_all

if TYPE_CHECKING:
    from typing_extensions import Buffer


class LocalPart:
    """What a missing part and a repeated one have in common: a place, a count, a hash.

    :param data: descriptor of the upload's file
    :param marks: what is known of its parts; this one is locked
    """

    def __init__(
        self,
        upload: MultipartUpload,
        number: int,
        check: PartCheck,
        *,
        data: int,
        marks: PartMarks,
    ) -> None:
        self._key = upload.key
        self._number = number
        self._offset = (number - 1) * upload.part_size_bytes
        self._check = check
        self._data = data
        self._marks = marks

    def _take(self, blocks: Sequence[Buffer]) -> tuple[list[memoryview], int]:
        """Count blocks; return their bytes, and where in the file they begin."""
        offset = self._offset + self._check.taken_bytes
        return self._check.take(blocks), offset

    def _finish(self) -> str | None:
        sha256 = self._check.finish()
        if self._marks.are_gone():
            raise upload_not_found(self._key)
        return sha256


class MissingPart(LocalPart):
    """A :class:`~reelflow.storage.base.PartWriter` of a part that is not there yet.

    :param durable: it counts once it is on the disk
    """

    def __init__(
        self,
        upload: MultipartUpload,
        number: int,
        check: PartCheck,
        *,
        data: int,
        marks: PartMarks,
        durable: bool,
    ) -> None:
        super().__init__(upload, number, check, data=data, marks=marks)
        self._durable = durable

    def write(self, *blocks: Buffer) -> None:
        """See :meth:`PartWriter.write <reelflow.storage.base.PartWriter.write>`."""
        views, offset = self._take(blocks)
        with local_errors(self._key):
            write_all(self._data, views, offset)
        if self._durable:
            _begin_to_sync(self._data, offset, sum(view.nbytes for view in views))

    def commit(self) -> str | None:
        """See :meth:`PartWriter.commit <reelflow.storage.base.PartWriter.commit>`."""
        with local_errors(self._key):
            sha256 = self._finish()
            if self._durable:
                os.fdatasync(self._data)
            # Only now: a part that is marked is never written to again.
            self._marks.set(self._number, Mark.ON_DISK if self._durable else Mark.WRITTEN)
        return sha256


class RepeatedPart(LocalPart):
    """A :class:`~reelflow.storage.base.PartWriter` of a part that is there, and only compared."""

    _differs = False

    def write(self, *blocks: Buffer) -> None:
        """See :meth:`PartWriter.write <reelflow.storage.base.PartWriter.write>`."""
        views, offset = self._take(blocks)
        with local_errors(self._key):
            for view in views:
                # Copied, because memoryviews are compared one item at a time.
                self._differs |= os.pread(self._data, view.nbytes, offset) != bytes(view)
                offset += view.nbytes

    def commit(self) -> str | None:
        """See :meth:`PartWriter.commit <reelflow.storage.base.PartWriter.commit>`."""
        with local_errors(self._key):
            sha256 = self._finish()
        if self._differs:
            raise part_differs()
        return sha256


def _begin_to_sync(fd: int, offset: int, size_bytes: int) -> None:
    """Let the disk begin to write what was just given to the system.

    Committing then waits for the last blocks only, where it waited for all. What Linux does with
    this advice (mm/fadvise.c) is to begin to write, and to keep in memory what is not written yet.
    """
    with suppress(OSError):  # committing tells what the disk refuses
        os.posix_fadvise(fd, offset, size_bytes, os.POSIX_FADV_DONTNEED)
