"""Clients that upload to a server which is killed again and again, and what they may expect."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import requests
from sqlalchemy import func, select

from reelflow.domain.upload_session import SessionState
from reelflow.ledger.intake_models import QuotaUse, UploadSession
from reelflow.ledger.models import Media, Post
from reelflow.services.uploads.sweep.expiry import expire_uploads
from tests.chunked_uploads import video_like
from tests.integration.killed_server import KilledServer
from tests.integration.raw_client import CHUNK, PatientClient, cut

#: Longer than any session may live.
_LONG: Final = timedelta(hours=3)
_AT_ONCE: Final = 3


@dataclass
class Upload:
    """One file of a client that goes on from wherever it stands.

    :ivar acknowledged: chunks that the server said it has
    :ivar answer: of finalize, once there was one
    """

    content: bytes
    caption: str
    upload_id: str | None = None
    acknowledged: set[int] = field(default_factory=set)
    answer: dict[str, Any] | None = None

    def send(self, client: PatientClient) -> None:
        """Begin, or go on, until every chunk is there."""
        if self.upload_id is None:
            post = {"account": "acme", "caption": self.caption, "privacy_level": "SELF_ONLY"}
            self.upload_id = client.opened(self.content, post=post)
        status = client.status(self.upload_id).json()
        chunks = cut(self.content)
        for first, last in status["missing"]:
            for index in range(first, last + 1):
                client.put(self.upload_id, index, chunks[index])
                self.acknowledged.add(index)

    def finish(self, client: PatientClient) -> None:
        """Let it become a file."""
        assert self.upload_id is not None
        self.answer = client.finalize(self.upload_id).json()

    def go(self, client: PatientClient) -> None:
        """Do all of it."""
        self.send(client)
        self.finish(client)

    def check_kept(self, client: PatientClient) -> None:
        """Fail if anything that was acknowledged is not there any more."""
        if self.upload_id is None:
            return
        status = client.status(self.upload_id).json()
        missing = {i for first, last in status["missing"] for i in range(first, last + 1)}
        assert not missing & self.acknowledged
        assert self.answer is None or status["state"] == "finished"


class Scene:
    """Clients of a server that is killed, and what its ledger and files have to be.

    :param server: the only user's
    :param seed: of the moments it is killed at
    :ivar found: how many uploads stood where when their server was killed
    """

    def __init__(self, server: KilledServer, *, seed: int) -> None:
        self._server = server
        self._random = random.Random(seed)
        self._numbers = 0
        self._took_s: dict[str, float] = {}
        self.workspace = server.workspace
        self.found: Counter[str] = Counter()

    def play(self, kind: str, *, kill: bool = True) -> None:
        """Let clients upload, kill the server at a random moment, and let most of them go on.

        :param kind: ``all`` for a moment from the first announcement to the last answer, or
            ``finalize`` for one while files are finished
        """
        uploads = [self._new_upload() for _ in range(_AT_ONCE)]
        if kind == "finalize":
            for upload in uploads:
                upload.send(self._server.client())
        work = Upload.finish if kind == "finalize" else Upload.go
        with self._at_once(uploads, work):
            if kill:
                time.sleep(self._random.uniform(0, self._took_s[kind]))
                self._server.kill()
        if kill:
            self._note(uploads)
            self._server.start()
        for upload in uploads:
            upload.check_kept(self._server.client())
        for upload in uploads[1:]:  # the first one stays as it is, for the sweep
            if upload.answer is None:
                upload.go(self._server.client())
        self._check_whole(uploads)
        self._sweep()
        self._check_whole(uploads)

    def _note(self, uploads: Sequence[Upload]) -> None:
        ids = [upload.upload_id for upload in uploads if upload.upload_id is not None]
        query = select(UploadSession.state).where(UploadSession.id.in_(ids))
        with self.workspace.ledger.read() as session:
            self.found.update(state.value for state in session.scalars(query))

    def _new_upload(self) -> Upload:
        self._numbers += 1
        size_bytes = CHUNK + self._random.randrange(1, 100_000)
        return Upload(video_like(size_bytes, seed=self._numbers), f"upload {self._numbers}")

    @contextmanager
    def _at_once(
        self, uploads: Sequence[Upload], work: Callable[[Upload, PatientClient], None]
    ) -> Iterator[None]:
        """Let every client work at once while the block runs, and to its end or the server's."""

        def run(upload: Upload) -> None:
            with suppress(requests.RequestException):  # the server is gone
                work(upload, self._server.client())

        began_s = time.monotonic()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            running = [pool.submit(run, upload) for upload in uploads]
            yield
            for one in running:
                one.result()
        if all(upload.answer for upload in uploads):
            kind = "finalize" if work is Upload.finish else "all"
            self._took_s[kind] = time.monotonic() - began_s

    def _check_whole(self, uploads: Sequence[Upload]) -> None:
        """Fail unless every file that was promised is there byte for byte."""
        for upload in uploads:
            if upload.answer is None:
                continue
            with self.workspace.ledger.read() as session:
                media = session.get_one(Media, upload.answer["media"]["media_id"])
            folders = self.workspace.folders
            with folders.open(media.source_path, identity=media.source_identity) as file:
                assert file.read_at(0, len(upload.content) + 1) == upload.content

    def _sweep(self) -> None:
        """Sweep long after all this; fail unless nothing is left but what has rows, and all of it.

        The answer to whoever asks again stays the same.
        """
        with self.workspace.ledger.write() as session:
            for row in session.scalars(select(UploadSession)).all():
                row.last_chunk_at -= _LONG
                row.expires_at -= _LONG
        expire_uploads(self.workspace, actor="tests")
        store = self.workspace.folders.store
        with self.workspace.ledger.read() as session:
            media = set(session.scalars(select(Media.source_path)))
            states = set(session.scalars(select(UploadSession.state)))
            captions = session.scalars(select(Post.caption)).all()
            reserved = session.scalar(select(func.sum(QuotaUse.reserved_bytes)))
        assert {info.key for info in store.list("media")} == media
        assert list(store.begun()) == []
        assert states <= {SessionState.FINISHED}
        assert len(captions) == len(set(captions)) == len(media)
        assert not reserved
