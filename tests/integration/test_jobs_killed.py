"""The server killed with -9 as it makes jobs and takes videos in: all of one is there, or nothing.

``make test`` plays few rounds; ``INTAKE_KILLS`` says how many of each kind.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from sqlalchemy import func, select

from reelflow.domain.upload_session import SessionState
from reelflow.domain.user import Scope
from reelflow.ledger.intake_models import QuotaUse, UploadSession
from reelflow.ledger.ledger import Ledger
from reelflow.ledger.models import Media, Post, Verdict
from reelflow.services.api_keys import create_key
from reelflow.services.uploads.sweep.expiry import expire_uploads
from tests import media_files
from tests.contract.storage.stores import S3Server
from tests.factories import make_account
from tests.integration.intake_server import headers_of, open_workspace, s3_settings
from tests.integration.web_process import WebProcess

ROUNDS: Final = int(os.environ.get("INTAKE_KILLS", "8")) // 4
TIMEOUT_S: Final = 60
AT_ONCE: Final = 3


class Server:
    """A server on a bucket, that is killed and started again."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings
        self.workspace = open_workspace(settings)
        make_account(self.workspace, "acme")
        scopes = frozenset({Scope.WRITE})
        self._key = create_key(self.workspace, "anna", "", scopes, None, "tests")[1]
        self.start()

    def start(self) -> None:
        self._web = WebProcess(Path(self._settings["REELFLOW_HOME"]), settings=self._settings)

    def kill(self) -> None:
        self._web.kill()

    def post(self, path: str, **options: Any) -> requests.Response:
        headers = headers_of(self._key)
        return requests.post(
            f"{self._web.api}{path}", headers=headers, timeout=TIMEOUT_S, **options
        )


@dataclass
class Client:
    """One upload of a client's; what it asks for once more must be the same.

    :ivar answer: what became of it, once it was told
    """

    server: Server
    number: int
    content: bytes
    form: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None

    def begin_job(self) -> None:
        """Send a file to S3."""
        wanted = {"filename": "a.mp4", "file_size": len(self.content), "content_type": "video/mp4"}
        self.form = self.server.post("/upload/presigned-url", json=wanted).json()
        sent = requests.post(
            self.form["upload_url"],
            data=self.form["upload_fields"],
            files={"file": self.content},
            timeout=TIMEOUT_S,
        )
        assert sent.status_code == 204

    def make_job(self) -> None:
        assert self.form is not None
        post = {"account": "acme", "caption": f"{self.number}", "privacy_level": "SELF_ONLY"}
        job = {name: self.form[name] for name in ("job_id", "s3_key", "file_type")}
        answer = self.server.post("/upload/create-job", json={**job, "post": post})
        assert answer.status_code in (200, 201), answer.text
        self.answer = answer.json()

    def send_video(self) -> None:
        opened = self.server.post("/dashboard/upload").json()
        files = {"file": ("a.mp4", self.content, "video/mp4")}
        answer = self.server.post(f"/dashboard/upload/{opened['session_id']}", files=files)
        assert answer.status_code == 201, answer.text
        self.answer = answer.json()


@pytest.fixture
def server(tmp_path: Path, database_url: str, intake_s3: S3Server) -> Iterator[Server]:
    intake_s3.reset()
    server = Server(s3_settings(tmp_path, database_url, intake_s3, intake_s3.new_bucket()))
    try:
        yield server
    finally:
        server.kill()


def at_once(clients: list[Client], work: Callable[[Client], None], kill_after_s: float) -> float:
    """Let all clients work, kill their server meanwhile, and return how long they took."""

    def run(client: Client) -> None:
        with suppress(requests.RequestException, KeyError):  # the server is gone
            work(client)

    began_s = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        running = [threads.submit(run, client) for client in clients]
        if kill_after_s < TIMEOUT_S:
            time.sleep(kill_after_s)
            clients[0].server.kill()
        for one in running:
            one.result()
    return time.monotonic() - began_s


def sweep(server: Server) -> None:
    """Sweep long after all this."""
    ledger = server.workspace.ledger
    later = Ledger(ledger.engine, ledger.cipher, now=lambda: datetime.now(UTC) + timedelta(hours=3))
    expire_uploads(replace(server.workspace, ledger=later), actor="tests")


def check(server: Server, folder: str, content: bytes) -> set[str]:
    """Fail unless everything that is there is whole and known; return the ids of the files."""
    store = server.workspace.folders.store
    with server.workspace.ledger.read() as session:
        media = {row.id: row.source_path for row in session.scalars(select(Media))}
        states = set(session.scalars(select(UploadSession.state)))
        reserved = session.scalar(select(func.sum(QuotaUse.reserved_uploads)))
        used = session.scalar(select(func.sum(QuotaUse.uploads))) or 0
        judged = set(session.scalars(select(Verdict.media_id)))
    assert {info.key for info in store.list(folder)} == set(media.values())
    assert list(store.begun()) == []
    assert states <= {SessionState.FINISHED}
    assert not reserved
    assert used == len(media)
    assert judged <= set(media)
    for key in media.values():
        with store.open(key) as file:
            assert file.read_at(0, len(content) + 1) == content
    return set(media)


def test_a_killed_server_makes_every_job_once_and_whole(server: Server) -> None:
    content = media_files.h264_mp4().read_bytes()
    moments, made, took_s = random.Random(7), 0, 0.0
    for number in range(ROUNDS + 1):
        clients = [Client(server, AT_ONCE * number + i, content) for i in range(AT_ONCE)]
        for client in clients:
            client.begin_job()
        if number == 0:
            took_s = at_once(clients, Client.make_job, TIMEOUT_S)
        else:
            at_once(clients, Client.make_job, moments.uniform(0, took_s))
            server.start()
            for client in clients[1:]:  # the first one leaves it as it is
                told = client.answer
                client.make_job()
                assert told in (None, client.answer)
        made += sum(client.answer is not None for client in clients)
        sweep(server)
        known = check(server, "direct-uploads", content)
        told_ids = {client.answer["job_id"] for client in clients if client.answer}
        assert told_ids <= known
        with server.workspace.ledger.read() as session:
            captions = session.scalars(select(Post.caption)).all()
        assert len(captions) == len(set(captions)) == len(known)
    assert made >= AT_ONCE + ROUNDS * (AT_ONCE - 1)


def test_a_killed_server_keeps_videos_of_the_dashboard_whole_or_not_at_all(
    server: Server,
) -> None:
    content = media_files.h264_mp4().read_bytes()
    moments, took_s = random.Random(7), 0.0
    told: set[str] = set()
    for number in range(ROUNDS + 1):
        clients = [Client(server, i, content) for i in range(AT_ONCE)]
        if number == 0:
            took_s = at_once(clients, Client.send_video, TIMEOUT_S)
        else:
            at_once(clients, Client.send_video, moments.uniform(0, took_s))
            server.start()
            clients[0].send_video()
        told |= {client.answer["video_id"] for client in clients if client.answer}
        sweep(server)
        assert told <= check(server, "dashboard-uploads", content)
    assert len(told) >= AT_ONCE + ROUNDS
