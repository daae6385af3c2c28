"""Uploads in parts into a folder: one file of the full size, each part in its place."""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from reelflow.digest import sha256_of
from reelflow.domain.ids import is_id
from reelflow.storage.base import BegunUpload, MultipartUpload, ObjectInfo, PartWriter
from reelflow.storage.content import (
    PartCheck,
    check_part_sizes,
    hash_mismatch,
    parts_missing,
    upload_not_found,
)
from reelflow.storage.keys import UPLOADS_FOLDER
from reelflow.storage.local_errors import local_errors
from reelflow.storage.local_folder import path_names
from reelflow.storage.local_marks import PartMarks
from reelflow.storage.local_part import MissingPart, RepeatedPart
from reelflow.storage.local_reader import LocalReader
from reelflow.storage.local_writer import LocalWriter, new_file, unlink_upload, write_all

BLOCK_BYTES: Final = 1024 * 1024


class LocalUploads(LocalWriter):
    """A :class:`~reelflow.storage.base.MultipartStore` in a folder.

    An upload is up to three files in ``.uploads``: ``ID.data``, of the full size from the start, so
    that a full disk is noticed then, into which parts are written in place; ``ID.received``, which
    marks the parts that are whole; ``ID.json``, what the upload is. A single put has ``ID.data``
    alone.

    :param root: an existing folder that only Reelflow may write to
    :param durable: a part counts once it is on the disk. Otherwise it counts at once, a loss of
        power makes it missing again, and the whole is brought to the disk when it is completed.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        super().__init__(root)
        self._durable = durable

    def begin(
        self, key: str, *, size_bytes: int, part_size_bytes: int, content_type: str | None = None
    ) -> MultipartUpload:
        """See :meth:`MultipartStore.begin <reelflow.storage.base.MultipartStore.begin>`."""
        check_part_sizes(size_bytes=size_bytes, part_size_bytes=part_size_bytes)
        path_names(key)
        upload = MultipartUpload(uuid.uuid4().hex, key, size_bytes, part_size_bytes)
        about = json.dumps({"key": key, "size_bytes": size_bytes, "part_bytes": part_size_bytes})
        with local_errors(key), self._uploads() as folder:
            try:
                _create(folder, f"{upload.upload_id}.json", about.encode())
                marks = PartMarks.of_new_upload(upload.part_count)
                _create(folder, f"{upload.upload_id}.received", marks)
                with new_file(folder, f"{upload.upload_id}.data", size_bytes, key=key) as fd:
                    os.fsync(fd)
                os.fsync(folder)
            except BaseException:
                unlink_upload(folder, upload.upload_id)
                raise
        return upload

    @contextmanager
    def open_part(
        self, upload: MultipartUpload, number: int, *, sha256: str | None = None
    ) -> Iterator[PartWriter]:
        """See :meth:`MultipartStore.open_part <reelflow.storage.base.MultipartStore.open_part>`.

        A part that counts is never written to again, so what is completed does not change.
        """
        check = PartCheck(upload, number, sha256=sha256)
        with self._opened(upload) as (data, marks):
            with local_errors(upload.key):
                marks.lock(number)
                counts = marks.counts(number)
                durable = self._durable or not marks.may_be_written()
            if counts:
                yield RepeatedPart(upload, number, check, data=data, marks=marks)
            else:
                yield MissingPart(upload, number, check, data=data, marks=marks, durable=durable)

    def missing_parts(self, upload: MultipartUpload) -> list[int]:
        """See :meth:`MultipartStore.missing_parts`, of ``reelflow.storage.base``."""
        with self._opened(upload) as (_, marks), local_errors(upload.key):
            return marks.missing()

    def received_parts(self, upload: MultipartUpload) -> int:
        """See :meth:`MultipartStore.received_parts`, of ``reelflow.storage.base``."""
        return upload.part_count - len(self.missing_parts(upload))

    def complete(
        self, upload: MultipartUpload, *, sha256: str | None = None, only_if_absent: bool = False
    ) -> ObjectInfo:
        """See :meth:`MultipartStore.complete <reelflow.storage.base.MultipartStore.complete>`."""
        with self._opened(upload) as (data, marks), local_errors(upload.key):
            if missing := marks.missing():
                raise parts_missing(upload, missing)
            if not marks.are_all_on_disk():
                _bring_to_disk(data, marks)
            if sha256 is not None:
                actual = sha256_of(LocalReader(data, upload.key), block_bytes=BLOCK_BYTES)
                if actual != sha256:
                    raise hash_mismatch(upload.key, expected=sha256, actual=actual)
            with self._uploads() as folder:
                fcntl.flock(data, fcntl.LOCK_EX)  # of two who complete it at once, one does
                if marks.are_gone():
                    raise upload_not_found(upload.key)
                info = self._publish(
                    folder, upload.upload_id, upload.key, only_if_absent=only_if_absent
                )
                unlink_upload(folder, upload.upload_id)
        return info

    def abort(self, upload: MultipartUpload | BegunUpload) -> None:
        """See :meth:`MultipartStore.abort <reelflow.storage.base.MultipartStore.abort>`."""
        if is_id(upload.upload_id):
            with local_errors(upload.key), self._uploads() as folder:
                unlink_upload(folder, upload.upload_id)

    def begun(self) -> Iterator[BegunUpload]:
        """See :meth:`MultipartStore.begun <reelflow.storage.base.MultipartStore.begun>`."""
        with local_errors(UPLOADS_FOLDER), self._uploads() as folder:
            with os.scandir(folder) as entries:
                ids = {entry.name.partition(".")[0] for entry in entries}
            for upload_id in sorted(filter(is_id, ids)):
                with suppress(FileNotFoundError):  # completed or aborted meanwhile
                    yield _begun(folder, upload_id)

    @contextmanager
    def _opened(self, upload: MultipartUpload) -> Iterator[tuple[int, PartMarks]]:
        """Hold an upload's data and its parts' marks open."""
        if not is_id(upload.upload_id):
            raise upload_not_found(upload.key)
        with ExitStack() as closing:
            with local_errors(upload.key), self._uploads() as folder:
                try:
                    data = _reopen(folder, f"{upload.upload_id}.data", closing)
                    received = _reopen(folder, f"{upload.upload_id}.received", closing)
                except FileNotFoundError as exc:
                    raise upload_not_found(upload.key) from exc
            yield data, PartMarks(received, upload.part_count)


def _create(folder: int, name: str, content: bytes) -> None:
    with new_file(folder, name, len(content), key=name) as fd:
        write_all(fd, [content], 0)
        os.fsync(fd)


def _bring_to_disk(data: int, marks: PartMarks) -> None:
    try:
        os.fdatasync(data)
    except OSError:
        marks.forget_written()  # what the disk refused once, a second try would not tell
        raise


def _reopen(folder: int, name: str, closing: ExitStack) -> int:
    fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    closing.callback(os.close, fd)
    return fd


def _begun(folder: int, upload_id: str) -> BegunUpload:
    key = ""
    try:
        fd = os.open(f"{upload_id}.json", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        status = os.stat(f"{upload_id}.data", dir_fd=folder)
    else:
        with os.fdopen(fd, encoding="utf-8") as stream:
            status = os.fstat(fd)
            with suppress(ValueError):  # its process died before it was written
                key = str(json.load(stream)["key"])
    return BegunUpload(upload_id, key, datetime.fromtimestamp(status.st_mtime, UTC))
