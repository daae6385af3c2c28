"""Whole files and media over real connections, by a client that knows HTTP and nothing of ours."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from sqlalchemy import delete

from reelflow.domain.post import PostState
from reelflow.ledger.intake_models import QuotaUse, UploadSession
from reelflow.ledger.models import PhotoImage
from reelflow.services.cleanup import clean_up_files
from reelflow.services.intake.lone_media import measure_lone_media
from reelflow.services.intake.prepare import generate_thumbnail, validate
from tests import factories
from tests.contract.storage.stores import S3Server
from tests.integration.intake_server import (
    IntakeServer,
    headers_of,
    local_settings,
    s3_settings,
    serving_intake,
)
from tests.integration.publisher import RUN, Publisher
from tests.integration.simulator_process import Simulator, wait_until
from tests.left_behind import assert_nothing_is_left, media_ids, stored_keys
from tests.media_files import h264_mp4
from tests.photo_files import unique_image

DEADLINE_S = 60.0
LOCAL = pytest.mark.parametrize("standing", ["local"], indirect=True)
WISH = {"account": "acme", "caption": "Dawn", "privacy_level": "SELF_ONLY"}

Part = tuple[str, tuple[str | None, bytes | str] | tuple[str, bytes, str]]


class Client:
    """Asks the server as one user."""

    def __init__(self, server: IntakeServer, key: str) -> None:
        self._server = server
        self._headers = headers_of(key)

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {**self._headers, **options.pop("headers", {})}
        url = self._server.api + path
        return requests.request(method, url, headers=headers, timeout=DEADLINE_S, **options)

    def simple(self, content: bytes, name: str = "clip.mp4", **fields: str) -> requests.Response:
        return self.ask(
            "POST", "/media/upload/simple", files={"file": (name, content)}, data=fields
        )

    def images(self, contents: Sequence[bytes], **fields: str) -> requests.Response:
        files = [("images", (f"{n}.jpg", content)) for n, content in enumerate(contents, 1)]
        return self.ask("POST", "/media/upload/images", files=files, data=fields)


@pytest.fixture(scope="module", params=["local", "s3"])
def standing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[IntakeServer]:
    """A server for all tests of this module, with its files in a folder, and one in S3."""
    home, bucket = tmp_path_factory.mktemp("intake"), None
    settings = local_settings(home, factories.migrated_sqlite(home))
    if request.param == "s3":
        s3: S3Server = request.getfixturevalue("intake_s3")
        bucket = s3.new_bucket()
        settings = s3_settings(home, settings["REELFLOW_DATABASE_URL"], s3, bucket)
    with serving_intake(settings, bucket=bucket) as server:
        factories.make_account(server.workspace, "acme")
        yield server


@pytest.fixture
def serving(standing: IntakeServer) -> Iterator[IntakeServer]:
    """The same, having forgotten what came before."""
    try:
        yield standing
    finally:
        with standing.workspace.ledger.write() as session:
            for table in (UploadSession, QuotaUse, PhotoImage):
                session.execute(delete(table))
        factories.forget_posts(standing.workspace)
        for info in list(standing.workspace.folders.store.list("media")):
            standing.workspace.folders.store.delete(info.key)


@pytest.fixture
def anna(serving: IntakeServer) -> Client:
    return Client(serving, serving.anna)


@pytest.fixture
def ben(serving: IntakeServer) -> Client:
    return Client(serving, serving.ben)


def stored_content(server: IntakeServer, media_id: str, extension: str) -> bytes:
    with server.workspace.folders.open(f"media/{media_id}{extension}") as source:
        return source.read_at(0, source.size_bytes)


def test_a_file_comes_is_looked_into_and_goes(serving: IntakeServer, anna: Client) -> None:
    content = h264_mp4().read_bytes()
    answer = anna.simple(content, media_type="video")
    assert answer.status_code == 201
    media = answer.json()["media"]
    assert media["sha256"] == hashlib.sha256(content).hexdigest()
    assert stored_content(serving, media["media_id"], ".mp4") == content
    path = f"/media/{media['media_id']}"
    assert anna.ask("GET", path).json() == media
    assert anna.ask("GET", f"{path}/thumbnail").json()["reason"] == "not_made_yet"

    assert measure_lone_media(serving.workspace, media["media_id"])  # as prepare_media does
    record = anna.ask("GET", path).json()
    assert (record["state"], record["metadata"]["video_codec"]) == ("ready", "h264")
    picture = requests.get(
        serving.process.address + record["links"]["thumbnail"],
        headers=headers_of(serving.anna),
        timeout=DEADLINE_S,
    )
    assert picture.content.startswith(b"\xff\xd8")
    assert picture.headers["Content-Disposition"].startswith("inline")
    known = {"If-None-Match": picture.headers["ETag"]}
    assert anna.ask("GET", f"{path}/thumbnail", headers=known).status_code == 304
    head = anna.ask("HEAD", f"{path}/thumbnail")
    assert (head.headers["Content-Length"], head.content) == (str(len(picture.content)), b"")

    assert anna.ask("DELETE", path).status_code == 204
    assert anna.ask("GET", path).status_code == 404
    assert stored_keys(serving.workspace) == set()


def test_images_become_a_photo_post_in_their_order(serving: IntakeServer, anna: Client) -> None:
    sent = [unique_image() for _ in range(10)]
    answer = anna.images(sent, post=json.dumps({**WISH, "cover_index": 9}))
    assert answer.status_code == 201, answer.text
    body = answer.json()
    ids = [media["media_id"] for media in body["media"]]
    assert body["post"]["media_ids"] == ids
    assert [stored_content(serving, one, ".jpg") for one in ids] == sent
    used = anna.ask("DELETE", f"/media/{ids[3]}")
    assert (used.status_code, used.json()["reason"]) == (409, "media_in_use")
    assert anna.ask("POST", f"/posts/{body['post']['post_id']}/cancel").status_code == 200
    for media_id in ids:
        assert anna.ask("DELETE", f"/media/{media_id}").status_code == 204
    assert stored_keys(serving.workspace) == set()


def test_a_post_that_waits_gets_its_video(serving: IntakeServer, anna: Client, ben: Client) -> None:
    waiting = anna.ask("POST", "/posts", json={**WISH, "kind": "video"}).json()
    assert (waiting["state"], waiting["reason_code"]) == ("HELD", "no_media")
    content = h264_mp4().read_bytes()
    foreign = ben.simple(content, post_id=str(waiting["post_id"]))
    assert (foreign.status_code, foreign.json()["reason"]) == (404, "post_not_found")
    assert_nothing_is_left(serving.workspace)
    answer = anna.simple(content, post_id=str(waiting["post_id"]))
    assert answer.status_code == 201
    post = answer.json()["post"]
    assert (post["post_id"], post["state"]) == (waiting["post_id"], "READY")


def test_one_bad_image_refuses_its_batch_and_an_eleventh_too(
    serving: IntakeServer, anna: Client
) -> None:
    good = [unique_image() for _ in range(9)]
    answer = anna.images([*good[:4], b"<html>no image", *good[4:]])
    assert (answer.status_code, answer.json()["reason"]) == (422, "not_this_media")
    assert answer.json()["details"]["violations"][0]["value"].startswith("5.jpg")
    answer = anna.images([*good, unique_image(), unique_image()])
    assert (answer.status_code, answer.json()["reason"]) == (422, "too_many_parts")
    assert_nothing_is_left(serving.workspace)


def multipart_head(server: IntakeServer, length: int | None) -> bytes:
    """Return the head of a request for a form, and the beginning of its one file."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        "POST /reelflow/api/v1/media/upload/simple HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {server.anna}\r\n"
        f"Content-Type: multipart/form-data; boundary=cut\r\n{size}\r\n\r\n"
    ).encode()


def form_of(content: bytes, name: str = "clip.mp4") -> bytes:
    head = f'--cut\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--cut--\r\n"


@contextmanager
def connected(server: IntakeServer) -> Iterator[socket.socket]:
    address = urlsplit(server.api)
    with socket.create_connection((address.hostname, address.port), DEADLINE_S) as connection:
        yield connection


def answered(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON of the answer that ends a connection."""
    said = b""
    while block := connection.recv(65_536):
        said += block
    head, _, body = said.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), json.loads(body)


def files_received(server: IntakeServer) -> int:
    """Return how many files without a name the server holds open, beside its log."""
    targets = []
    for link in Path(f"/proc/{server.process.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            targets.append(str(link.readlink()) if link.name != "2" else "")
    return sum(target.endswith("(deleted)") for target in targets)


def test_a_body_that_stops_leaves_nothing_and_nothing_open(
    serving: IntakeServer, anna: Client
) -> None:
    form = form_of(h264_mp4().read_bytes() + bytes(5_000_000))
    for sent in (len(form) // 2, len(form) - 3, 40):
        with connected(serving) as connection:
            connection.sendall(multipart_head(serving, len(form)) + form[:sent])
            if sent > 100:
                wait_until(lambda: files_received(serving) == 1, "the file is being received")
        wait_until(lambda: files_received(serving) == 0, "the file is let go")
    assert_nothing_is_left(serving.workspace)
    assert anna.simple(h264_mp4().read_bytes()).status_code == 201
    assert "Traceback" not in serving.process.log()


@LOCAL
def test_a_body_of_unknown_length_is_taken_and_a_cut_one_is_not(serving: IntakeServer) -> None:
    form = form_of(h264_mp4().read_bytes())
    for body, status in ((form, 201), (form[:-20], 400)):
        chunks = b"".join(
            f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (body[:5000], body[5000:])
        )
        with connected(serving) as connection:
            head = multipart_head(serving, None).replace(
                b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n"
            )
            connection.sendall(head + chunks + b"0\r\n\r\n")
            assert answered(connection)[0] == status
    assert len(media_ids(serving.workspace)) == 1


@contextmanager
def little_room(server: IntakeServer) -> Iterator[None]:
    """Let no file of the server's grow beyond 4 MiB, as a full disk does not."""
    pid = server.process.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4 * 1024 * 1024, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_507_until_there_is_room(serving: IntakeServer, anna: Client) -> None:
    content = h264_mp4().read_bytes() + bytes(10_000_000)
    with little_room(serving):
        answer = anna.simple(content)
        assert (answer.status_code, answer.json()["reason"]) == (507, "storage_full")
        assert_nothing_is_left(serving.workspace)
    assert anna.simple(content).status_code == 201


@pytest.mark.parametrize("standing", ["s3"], indirect=True)
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"status": 403, "code": "AccessDenied"}, 503),
        ({"status": 503, "code": "SlowDown"}, 503),
        ({"kind": "lost"}, None),
    ],
    ids=["refused", "throttled", "answer lost"],
)
@pytest.mark.parametrize("size_bytes", [100_000, 20_000_000])
def test_a_bucket_that_refuses_leaves_nothing(
    serving: IntakeServer,
    anna: Client,
    intake_s3: S3Server,
    fault: dict[str, Any],
    status: int | None,
    size_bytes: int,
) -> None:
    content = h264_mp4().read_bytes() + bytes(size_bytes)
    intake_s3.fault("PUT", "/media/", times=4, **fault)
    try:
        answer = anna.simple(content)
    finally:
        intake_s3.reset()
    if status is None and answer.status_code == 201:  # it found its own object again
        return
    assert answer.status_code in (status or 503,)
    assert serving.bucket not in answer.text
    assert_nothing_is_left(serving.workspace)
    assert anna.simple(content).status_code == 201


def test_many_files_at_once_are_all_kept_whole(serving: IntakeServer, anna: Client) -> None:
    head = h264_mp4().read_bytes()
    sent = [head + os.urandom(size) for size in (0, 10, 100_000, 3_000_000, 9_000_000) * 4]
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(anna.simple, sent))
    assert {answer.status_code for answer in answers} == {201}
    for answer, content in zip(answers, sent, strict=True):
        media = answer.json()["media"]
        assert media["size_bytes"] == len(content)
        kept = stored_content(serving, media["media_id"], ".mp4")
        assert hashlib.sha256(kept).digest() == hashlib.sha256(content).digest()


@LOCAL
def test_the_sweep_by_hand_is_for_admins(serving: IntakeServer, anna: Client) -> None:
    root = Client(serving, serving.root)
    assert anna.ask("POST", "/media/cleanup/expired").status_code == 403
    swept = root.ask("POST", "/media/cleanup/expired")
    assert (swept.status_code, swept.json()["expired_uploads"]) == (200, [])


def test_a_server_that_is_killed_while_it_receives_leaves_nothing(tmp_path: Path) -> None:
    form = form_of(h264_mp4().read_bytes() + bytes(5_000_000))
    settings = local_settings(tmp_path, factories.migrated_sqlite(tmp_path))
    with serving_intake(settings) as server, connected(server) as connection:
        connection.sendall(multipart_head(server, len(form)) + form[: len(form) // 2])
        wait_until(lambda: files_received(server) == 1, "the file is being received")
        server.process.process.kill()
        server.process.wait()
        assert_nothing_is_left(server.workspace)


def test_what_came_whole_is_published_byte_for_byte(
    serving: IntakeServer, anna: Client, simulator: Simulator
) -> None:
    creator = simulator.accounts[0]
    account = factories.make_account(
        serving.workspace,
        "aurora",
        open_id=creator["open_id"],
        access_token=creator["access_token"],
    )
    content = h264_mp4().read_bytes()
    wish = {**WISH, "account": "aurora"}
    answer = anna.simple(content, post=json.dumps(wish))
    post = factories.read_post(serving.workspace, answer.json()["post"]["post_id"])
    for stage in (validate, generate_thumbnail):
        stage(serving.workspace, post.id, run_id=RUN, actor="run")
    publisher = Publisher(serving.workspace, factories.Clock(), simulator, account)
    publisher.upload(post)
    assert publisher.settle(post) is PostState.PUBLISHED_NO_LINK
    publish_id = publisher.current(post).publish_id
    assert publish_id is not None
    assert simulator.content(publish_id) == content
    assert clean_up_files(serving.workspace, post.id)
    record = anna.ask("GET", f"/media/{post.media_id}").json()
    assert (record["state"], record["posts"]) == ("deleted", [post.id])
    assert anna.ask("GET", record["links"]["thumbnail"].partition("/v1")[2]).status_code == 200
    assert anna.ask("DELETE", f"/media/{post.media_id}").status_code == 204
    assert stored_keys(serving.workspace) == set()
