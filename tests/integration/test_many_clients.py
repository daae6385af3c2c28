"""Fifty clients at once send files of many sizes; each is whole, or was never taken.

Twelve files of as many clients on two servers in the short form; two hundred of fifty on each of
four with ``INTAKE_FILES=200`` (`make intake-kills`).
"""

from __future__ import annotations

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import pytest

from reelflow.digest import sha256_of
from reelflow.ledger.intake_models import QuotaUse
from reelflow.ledger.models import Media, Post
from tests import factories
from tests.chunked_uploads import video_like
from tests.integration.intake_server import IntakeServer
from tests.integration.raw_client import CHUNK, PatientClient, cut

FILES: Final = int(os.environ.get("INTAKE_FILES", "12"))
CLIENTS: Final = min(50, FILES)
#: Each on a folder and on S3.
SERVERS: Final = ("local", "s3", "plugin", "plugin_s3") if FILES >= 200 else ("s3", "plugin")
_SIZES: Final = (40, 4_000, 70_000, 300_000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 12_345)
#: Large ones are few, as everywhere.
_WEIGHTS: Final = (10, 10, 10, 10, 1, 1, 1, 1)


@dataclass(frozen=True)
class Upload:
    """One file of one client."""

    client: PatientClient
    number: int
    size_bytes: int

    def send(self) -> tuple[str, str]:
        """Send it as its size asks for; return its media's id, and its content's hash."""
        content = video_like(self.size_bytes, seed=self.number)
        told = self._whole(content) if self.size_bytes < CHUNK - 1 else self._chunks(content)
        return told, sha256(content).hexdigest()

    def _whole(self, content: bytes) -> str:
        answer = self.client.call(
            "POST",
            "/media/upload/simple",
            data={"post": json.dumps(self._post())},
            files={"file": ("clip.mp4", content)},
        )
        media_id: str = answer.json()["media"]["media_id"]
        return media_id

    def _chunks(self, content: bytes) -> str:
        upload_id = self.client.opened(content, post=self._post())
        chunks = list(enumerate(cut(content)))
        random.Random(self.number).shuffle(chunks)
        for index, chunk in chunks:
            self.client.call("PUT", f"/media/upload/{upload_id}/chunks/{index}", data=chunk)
        answer = self.client.call("POST", f"/media/upload/{upload_id}/finalize", json={})
        media_id: str = answer.json()["media"]["media_id"]
        return media_id

    def _post(self) -> dict[str, str]:
        caption = f"file {self.number}"
        return {"account": "aurora", "caption": caption, "privacy_level": "SELF_ONLY"}


@pytest.mark.parametrize("serving", SERVERS, indirect=True)
def test_fifty_clients_at_once_lose_nothing_and_mix_nothing_up(serving: IntakeServer) -> None:
    factories.make_account(serving.workspace, "aurora")
    sizes = random.Random(6).choices(_SIZES, _WEIGHTS, k=FILES)
    users = [serving.anna, serving.ben]  # the plugin takes one file at once of each
    clients = [PatientClient(serving.api, users[number % 2]) for number in range(CLIENTS)]
    uploads = [Upload(clients[number % CLIENTS], number, size) for number, size in enumerate(sizes)]

    def send_all(client: PatientClient) -> list[tuple[str, str]]:
        return [upload.send() for upload in uploads if upload.client is client]

    with ThreadPoolExecutor(CLIENTS) as pool:
        sent = [one for done in pool.map(send_all, clients) for one in done]

    assert len({media_id for media_id, _ in sent}) == FILES
    store = serving.workspace.folders.store
    with serving.workspace.ledger.read() as session:
        media = {one.id: one for one in session.query(Media)}
        posts = {post.media_id: post.caption for post in session.query(Post)}
        used = [(use.uploads, use.bytes, use.reserved_bytes) for use in session.query(QuotaUse)]
    for media_id, content_hash in sent:
        with store.open(media[media_id].source_path) as source:
            assert sha256_of(source) == content_hash
    assert len(media) == len(posts) == FILES
    assert len(set(posts.values())) == FILES
    assert [sum(column) for column in zip(*used, strict=True)] == [FILES, sum(sizes), 0]
    assert list(store.begun()) == []
