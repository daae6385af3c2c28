"""Servers killed with -9 as they make jobs and take videos in: all of one is there, or nothing.

``make test`` plays few rounds, ``make intake-kills`` fifty on each of both.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import requests
from sqlalchemy import func, select

from reelflow.domain.upload_session import SessionState
from reelflow.ledger.intake_models import QuotaUse, UploadSession
from reelflow.ledger.ledger import Ledger
from reelflow.ledger.models import Media, Post, Verdict
from reelflow.services.uploads.sweep.expiry import expire_uploads
from tests import media_files
from tests.integration.killed_server import IS_FULL, KILLS, KilledServer, rounds_of

SERVERS: Final = (
    ["serve-s3-sqlite", "serve-s3-postgresql", "plugin-s3-postgresql"]
    if IS_FULL
    else ["serve-s3-sqlite"]
)
ON_SERVERS: Final = pytest.mark.parametrize(
    ("name", "killed"), list(zip(SERVERS, SERVERS, strict=True)), indirect=["killed"]
)
TIMEOUT_S: Final = 60
AT_ONCE: Final = 3


@dataclass
class Client:
    """One upload of a client's; what it asks for once more must be the same.

    :ivar answer: what became of it, once it was told
    """

    server: KilledServer
    number: int
    content: bytes
    form: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None

    def begin_job(self) -> None:
        """Send a file to S3."""
        wanted = {"filename": "a.mp4", "file_size": len(self.content), "content_type": "video/mp4"}
        self.form = self.server.client().call("POST", "/upload/presigned-url", json=wanted).json()
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
        asked = {**job, "post": post}
        self.answer = self.server.client().call("POST", "/upload/create-job", json=asked).json()

    def send_video(self) -> None:
        client = self.server.client()
        opened = client.call("POST", "/dashboard/upload").json()
        files = {"file": ("a.mp4", self.content, "video/mp4")}
        path = f"/dashboard/upload/{opened['session_id']}"
        self.answer = client.call("POST", path, files=files).json()


def at_once(
    clients: list[Client], work: Callable[[Client], None], *, kill_after_s: float | None = None
) -> float:
    """Let all clients work, kill their server meanwhile, and return how long they took."""

    def run(client: Client) -> None:
        with suppress(requests.RequestException):  # the server is gone
            work(client)

    began_s = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        running = [threads.submit(run, client) for client in clients]
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            clients[0].server.kill()
        for one in running:
            one.result()
    return time.monotonic() - began_s


def sweep(server: KilledServer) -> None:
    """Sweep long after all this."""
    ledger = server.workspace.ledger
    later = Ledger(ledger.engine, ledger.cipher, now=lambda: datetime.now(UTC) + timedelta(hours=3))
    expire_uploads(replace(server.workspace, ledger=later), actor="tests")


def check(server: KilledServer, folder: str, content: bytes) -> set[str]:
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


@ON_SERVERS
def test_a_killed_server_makes_every_job_once_and_whole(name: str, killed: KilledServer) -> None:
    content = media_files.h264_mp4().read_bytes()
    rounds = rounds_of(name, SERVERS, KILLS // 4)
    moments, made, took_s = random.Random(7), 0, 0.0
    for number in range(rounds + 1):
        clients = [Client(killed, AT_ONCE * number + i, content) for i in range(AT_ONCE)]
        for client in clients:
            client.begin_job()
        if number == 0:
            took_s = at_once(clients, Client.make_job)
        else:
            at_once(clients, Client.make_job, kill_after_s=moments.uniform(0, took_s))
            killed.start()
            for client in clients[1:]:  # the first one leaves it as it is
                told = client.answer
                client.make_job()
                assert told in (None, client.answer)
        made += sum(client.answer is not None for client in clients)
        sweep(killed)
        known = check(killed, "direct-uploads", content)
        told_ids = {client.answer["job_id"] for client in clients if client.answer}
        assert told_ids <= known
        with killed.workspace.ledger.read() as session:
            captions = session.scalars(select(Post.caption)).all()
        assert len(captions) == len(set(captions)) == len(known)
    print(f"\n{name}: {made} jobs were made in spite of {rounds} kills")
    assert made >= AT_ONCE + rounds * (AT_ONCE - 1)


@ON_SERVERS
def test_a_killed_server_keeps_videos_of_the_dashboard_whole_or_not_at_all(
    name: str, killed: KilledServer
) -> None:
    content = media_files.h264_mp4().read_bytes()
    rounds = rounds_of(name, SERVERS, KILLS // 4)
    moments, took_s = random.Random(7), 0.0
    told: set[str] = set()
    for number in range(rounds + 1):
        clients = [Client(killed, i, content) for i in range(AT_ONCE)]
        if number == 0:
            took_s = at_once(clients, Client.send_video)
        else:
            at_once(clients, Client.send_video, kill_after_s=moments.uniform(0, took_s))
            killed.start()
            clients[0].send_video()
        told |= {client.answer["video_id"] for client in clients if client.answer}
        sweep(killed)
        assert told <= check(killed, "dashboard-uploads", content)
    print(f"\n{name}: {len(told)} videos were taken in spite of {rounds} kills")
    assert len(told) >= AT_ONCE + rounds
