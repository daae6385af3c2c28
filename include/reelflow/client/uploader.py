"""Uploading one file in parallel chunks: from where it stopped, whatever stopped it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final

from reelflow.client.chunk_body import ChunkBody
from reelflow.client.journal import UploadJournal
from reelflow.client.parallel import do_all
from reelflow.client.records import Upload
from reelflow.client.retries import Retries
from reelflow.client.server import Finalized, ReelflowServer
from reelflow.exceptions import ServerRefusedError, SourceChangedError, TransientError
from reelflow.source import FileSource, open_source

_AT_ONCE: Final = 4
#: How often an upload is looked at anew that is not as it was a moment ago.
_LOOKS_MAX: Final = 3
#: The server's words for one that is lost: forgotten, too old, or begun with other bytes.
_LOST: Final = frozenset({"upload_not_found", "upload_expired", "chunk_differs"})
#: ... and for one that somebody else ended, or of which a chunk got lost again.
_OTHERWISE: Final = frozenset({"upload_state", "chunks_missing"})


@dataclass(frozen=True)
class LocalFile:
    """A file that was looked at.

    :param identity: of what was looked at: another content is not sent
    :param content_type: of what it holds
    :param media_type: ``video`` or ``image``
    """

    path: Path
    size_bytes: int
    sha256: str
    identity: str
    content_type: str
    media_type: str


class Uploader:
    """Brings files to a server; threads may upload at once.

    :param retries: makes the patience of one upload
    """

    def __init__(
        self, server: ReelflowServer, journal: UploadJournal, retries: Callable[[], Retries]
    ) -> None:
        self._server = server
        self._journal = journal
        self._retries = retries

    def upload(
        self,
        file: LocalFile,
        *,
        key: str,
        post: Mapping[str, Any] | None,
        on_progress: Callable[[int], None],
    ) -> Finalized:
        """Upload a file, or what is missing of it.

        :param key: of :func:`upload_key`: what is remembered of it until :meth:`forget`
        :param post: what the post is to be that is made of it, if one is made of it alone
        :param on_progress: is told how many bytes are on their way or there; threads may tell it
        :raises SourceChangedError: it is not the file any more that was looked at
        """
        retries = self._retries()
        with open_source(file.path) as descriptor:
            source = FileSource(descriptor, repr(str(file.path)))
            if source.identity != file.identity:
                raise SourceChangedError(
                    f"{str(file.path)!r} was written to since it was checked: run this again when "
                    "nobody writes to it"
                )
            source.sha256 = file.sha256  # renamed or given other rights, it is still this
            for look in range(1, _LOOKS_MAX + 1):
                try:
                    upload = retries.call(partial(self._open, file, key, post))
                    if upload.is_open:
                        self._send_missing(source, upload, retries, on_progress)
                        source.check_unchanged()
                    return retries.call(partial(self._server.finalize, upload.id, post))
                except ServerRefusedError as error:
                    if error.code not in _LOST | _OTHERWISE or look == _LOOKS_MAX:
                        raise
                    if error.code in _LOST:
                        self.forget(key)
        raise AssertionError("the last try returns or raises")

    def forget(self, key: str) -> None:
        """Forget an upload whose outcome is known to the end."""
        self._journal.forget(key)

    def _open(self, file: LocalFile, key: str, post: Mapping[str, Any] | None) -> Upload:
        """Return the upload that was begun for this, or begin one."""
        known = self._journal.find(key)
        if known is not None:
            try:
                upload = self._server.upload(known, file.size_bytes)
            except ServerRefusedError as error:
                if error.code not in _LOST:
                    raise
            else:
                if upload.state not in ("expired", "cancelled"):
                    return upload
            self.forget(key)
        upload = self._server.begin_upload(
            file_name=file.path.name,
            size_bytes=file.size_bytes,
            content_type=file.content_type,
            media_type=file.media_type,
            sha256=file.sha256,
            post=post,
        )
        self._journal.keep(key, upload.id)
        return upload

    def _send_missing(
        self,
        source: FileSource,
        upload: Upload,
        retries: Retries,
        on_progress: Callable[[int], None],
    ) -> None:
        """Send chunks until the server has them all; after each loss it says which those are."""
        while upload.missing and upload.is_open:
            meter = _Meter(upload.received_bytes, on_progress)
            try:
                do_all(
                    _ChunkSender(self._server, source, upload, meter).send,
                    upload.missing,
                    at_once=_AT_ONCE,
                )
            except TransientError as error:
                if meter.has_finished:
                    retries.progressed()
                retries.wait_after(error)
            else:
                retries.progressed()
            upload = retries.call(partial(self._server.upload, upload.id, source.size_bytes))


class _ChunkSender:
    """Sends the chunks of one upload."""

    def __init__(
        self, server: ReelflowServer, source: FileSource, upload: Upload, meter: _Meter
    ) -> None:
        self._server = server
        self._source = source
        self._upload = upload
        self._meter = meter

    def send(self, index: int) -> None:
        plan = self._upload.plan
        offset, size_bytes = plan.offset_of_chunk(index), plan.size_of_chunk(index)
        body = ChunkBody(
            self._source, offset, size_bytes, lambda sent: self._meter.sent(index, sent)
        )
        self._server.put_chunk(self._upload.id, index, body)
        self._meter.finished(index, size_bytes)


class _Meter:
    """Adds up what the threads have sent."""

    def __init__(self, received_bytes: int, on_progress: Callable[[int], None]) -> None:
        self._received_bytes = received_bytes
        self._under_way: dict[int, int] = {}
        self._on_progress = on_progress
        self._lock = Lock()
        self.has_finished = False
        on_progress(received_bytes)

    def sent(self, index: int, sent_bytes: int) -> None:
        with self._lock:
            self._under_way[index] = sent_bytes
            self._on_progress(self._received_bytes + sum(self._under_way.values()))

    def finished(self, index: int, size_bytes: int) -> None:
        with self._lock:
            self._under_way.pop(index, None)
            self._received_bytes += size_bytes
            self.has_finished = True


def upload_key(url: str, account: str, sha256: str, *, place: int, wish: Mapping[str, Any]) -> str:
    """Return what an upload is remembered by: the server, the post it is for, and its place there.

    What else is wished of the post is no part of it, so that a caption may be mended between two
    tries; but a repost is known from others of the same bytes by nothing else.

    :param sha256: of the post's content
    """
    fields = dict(wish) if wish.get("repost") else None
    parts = json.dumps([url, account, sha256, place, fields], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()
