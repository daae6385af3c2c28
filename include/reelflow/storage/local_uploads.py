"""Uploads in parts into a folder: one file of the full size, each part in its place."""

from __future__ import annotations

import fcntl
import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import Final

from reelflow.digest import sha256_of
from reelflow.exceptions import UploadNotFoundError
from reelflow.storage.base import BegunUpload, ByteStream, MultipartUpload, ObjectInfo
from reelflow.storage.content import (
    check_part_sizes,
    hash_mismatch,
    parts_missing,
    whole_part,
)
from reelflow.storage.keys import UPLOADS_FOLDER
from reelflow.storage.local_errors import local_errors
from reelflow.storage.local_folder import path_names
from reelflow.storage.local_reader import LocalReader
from reelflow.storage.local_writer import LocalWriter, new_file, unlink_upload, write_all

BLOCK_BYTES: Final = 1024 * 1024

_UPLOAD_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


class LocalUploads(LocalWriter):
    """A :class:`~reelflow.storage.base.MultipartStore` in a folder.

    An upload is up to three files in ``.uploads``: ``ID.data``, of the full size from the start, so
    that a full disk is noticed then, into which parts are written in place; ``ID.received``, a byte
    for each part, 1 once the part is whole on the disk; ``ID.json``, what the upload is. A single
    put has ``ID.data`` alone.

    :param root: an existing folder that only Reelflow may write to
    """

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
                _create(folder, f"{upload.upload_id}.received", bytes(upload.part_count))
                with new_file(folder, f"{upload.upload_id}.data", size_bytes, key=key) as fd:
                    os.fsync(fd)
                os.fsync(folder)
            except BaseException:
                unlink_upload(folder, upload.upload_id)
                raise
        return upload

    def put_part(
        self, upload: MultipartUpload, number: int, content: bytes | ByteStream, *, sha256: str
    ) -> None:
        """See :meth:`MultipartStore.put_part <reelflow.storage.base.MultipartStore.put_part>`."""
        part = whole_part(upload, number, content, sha256=sha256)
        with self._opened(upload, fcntl.LOCK_SH) as (data, received):
            os.pwrite(received, b"\0", number - 1)
            write_all(data, part, (number - 1) * upload.part_size_bytes)
            os.fdatasync(data)
            os.pwrite(received, b"\1", number - 1)
            os.fdatasync(received)

    def missing_parts(self, upload: MultipartUpload) -> list[int]:
        """See :meth:`MultipartStore.missing_parts`, of ``reelflow.storage.base``."""
        with self._opened(upload, fcntl.LOCK_SH) as (_, received):
            return _missing(received, upload)

    def complete(
        self, upload: MultipartUpload, *, sha256: str | None = None, only_if_absent: bool = False
    ) -> ObjectInfo:
        """See :meth:`MultipartStore.complete <reelflow.storage.base.MultipartStore.complete>`."""
        # Alone: a part that came late would change a file that is published.
        with self._opened(upload, fcntl.LOCK_EX) as (data, received):
            if missing := _missing(received, upload):
                raise parts_missing(upload, missing)
            if sha256 is not None:
                actual = sha256_of(LocalReader(data, upload.key), block_bytes=BLOCK_BYTES)
                if actual != sha256:
                    raise hash_mismatch(upload.key, expected=sha256, actual=actual)
            with self._uploads() as folder:
                info = self._publish(
                    folder, upload.upload_id, upload.key, only_if_absent=only_if_absent
                )
                unlink_upload(folder, upload.upload_id)
        return info

    def abort(self, upload: MultipartUpload | BegunUpload) -> None:
        """See :meth:`MultipartStore.abort <reelflow.storage.base.MultipartStore.abort>`."""
        if _UPLOAD_ID.fullmatch(upload.upload_id):
            with local_errors(upload.key), self._uploads() as folder:
                unlink_upload(folder, upload.upload_id)

    def begun(self) -> Iterator[BegunUpload]:
        """See :meth:`MultipartStore.begun <reelflow.storage.base.MultipartStore.begun>`."""
        with local_errors(UPLOADS_FOLDER), self._uploads() as folder:
            with os.scandir(folder) as entries:
                ids = {entry.name.partition(".")[0] for entry in entries}
            for upload_id in sorted(filter(_UPLOAD_ID.fullmatch, ids)):
                with suppress(FileNotFoundError):  # completed or aborted meanwhile
                    yield _begun(folder, upload_id)

    @contextmanager
    def _opened(self, upload: MultipartUpload, lock: int) -> Iterator[tuple[int, int]]:
        """Hold an upload's data and its parts' marks open, and locked against completing."""
        if not _UPLOAD_ID.fullmatch(upload.upload_id):
            raise _not_found(upload)
        with local_errors(upload.key), self._uploads() as folder, ExitStack() as closing:
            try:
                data = _reopen(folder, f"{upload.upload_id}.data", closing)
                received = _reopen(folder, f"{upload.upload_id}.received", closing)
                fcntl.flock(data, lock)
                # While this one waited for the lock, it may have been completed.
                os.stat(f"{upload.upload_id}.data", dir_fd=folder)
            except FileNotFoundError as exc:
                raise _not_found(upload) from exc
            yield data, received


def _create(folder: int, name: str, content: bytes) -> None:
    with new_file(folder, name, len(content), key=name) as fd:
        write_all(fd, content, 0)
        os.fsync(fd)


def _reopen(folder: int, name: str, closing: ExitStack) -> int:
    fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    closing.callback(os.close, fd)
    return fd


def _missing(received: int, upload: MultipartUpload) -> list[int]:
    marks = os.pread(received, upload.part_count, 0)
    return [number for number, mark in enumerate(marks, 1) if not mark]


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


def _not_found(upload: MultipartUpload) -> UploadNotFoundError:
    return UploadNotFoundError(
        f"the upload of {upload.key} was completed, aborted or never begun: look whether the object"
        " is there, or begin anew",
        key=upload.key,
    )
