"""The publishing half of the simulator over real HTTP: pulls, cancel, faults, time, its page."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.integration.simulator_process import DEADLINE_S, Simulator, wait_until

HOUR_S = 3600
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(range(256)) * 40
VIDEO = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 2000
MB = 2**20


class Origin(ThreadingHTTPServer):
    """A media host of the app: serves files, redirects, and sends one of them only when told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), OriginHandler)
        self.files = {"/1.jpg": JPEG, "/2.webp": WEBP, "/a.mp4": VIDEO, "/slow.mp4": VIDEO}
        self.asked: list[tuple[str, str | None]] = []
        self.may_end = threading.Event()
        self.failures_left = 0
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.may_end.set()
        self.shutdown()
        self.server_close()


class OriginHandler(BaseHTTPRequestHandler):
    server: Origin

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.server.asked.append((self.path, self.headers["Host"]))
        if url.path == "/moved.jpg":
            self._answer(302, b"", Location="/1.jpg")
        elif self.server.failures_left:
            self.server.failures_left -= 1
            self._answer(503, b"busy")
        elif url.path == "/slow.mp4":
            self._send_slowly(self.server.files[url.path])
        else:
            self._answer(200, self.server.files[url.path])

    def _answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _send_slowly(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:1000])
        self.server.may_end.wait(DEADLINE_S)
        try:
            self.wfile.write(content[1000:])
        except OSError:
            self.close_connection = True  # the simulator hung up

    def log_message(self, *_: Any) -> None:
        """Keep the tests' output clean."""


class Client:
    """A few calls as the first account."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._headers = {"Authorization": f"Bearer {simulator.accounts[0]['access_token']}"}

    def call(self, path: str, body: Any) -> requests.Response:
        url = f"{self._simulator.api}/v2/post/publish/{path}"
        return requests.post(url, json=body, headers=self._headers, timeout=DEADLINE_S)

    def data(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.call(path, body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["data"])

    def status(self, task: dict[str, Any]) -> dict[str, Any]:
        return self.data("status/fetch/", {"publish_id": task["publish_id"]})

    def pull(self, name: str) -> dict[str, Any]:
        url = f"https://media.example/{name}"
        return self.data(
            "video/init/",
            {
                "post_info": {"privacy_level": "PUBLIC_TO_EVERYONE"},
                "source_info": {"source": "PULL_FROM_URL", "video_url": url},
            },
        )

    def photos(self, *names: str) -> dict[str, Any]:
        return self.data(
            "content/init/",
            {
                "media_type": "PHOTO",
                "post_mode": "DIRECT_POST",
                "post_info": {"privacy_level": "PUBLIC_TO_EVERYONE", "description": "#two"},
                "source_info": {
                    "source": "PULL_FROM_URL",
                    "photo_images": [f"https://eu.media.example/{name}" for name in names],
                    "photo_cover_index": 0,
                },
            },
        )

    def upload(self, size: int) -> dict[str, Any]:
        plan = {"video_size": size, "chunk_size": size, "total_chunk_count": 1}
        return self.data(
            "video/init/",
            {
                "post_info": {"privacy_level": "PUBLIC_TO_EVERYONE"},
                "source_info": {"source": "FILE_UPLOAD", **plan},
            },
        )

    def put(self, task: dict[str, Any], content: bytes) -> requests.Response:
        last = len(content) - 1
        headers = {
            "Content-Type": "video/mp4",
            "Content-Range": f"bytes 0-{last}/{len(content)}",
        }
        return requests.put(task["upload_url"], content, headers=headers, timeout=DEADLINE_S)


Start = Callable[..., Simulator]


@pytest.fixture
def origin() -> Iterator[Origin]:
    origin = Origin()
    try:
        yield origin
    finally:
        origin.stop()


@pytest.fixture
def start(origin: Origin) -> Iterator[Start]:
    started: list[Simulator] = []

    def start(*arguments: str) -> Simulator:
        hosts = ("media.example", "eu.media.example")
        mappings = [one for host in hosts for one in ("--connect-to", f"{host}={origin.address}")]
        simulator = Simulator("--verified-domain", "media.example", *mappings, *arguments)
        started.append(simulator)
        return simulator

    try:
        yield start
    finally:
        for simulator in started:
            simulator.stop()


def state_of(simulator: Simulator, task: dict[str, Any]) -> dict[str, Any]:
    """What the control API says of a publication, without a status call."""
    return next(one for one in simulator.uploads() if one["publish_id"] == task["publish_id"])


def test_photos_are_pulled_from_the_verified_host_and_published(
    start: Start, origin: Origin
) -> None:
    simulator = start("--processing-polls", "0", "--link-polls", "0")
    client = Client(simulator)
    tasks = [client.photos("1.jpg?signature=s", "2.webp") for _ in range(2)]

    wait_until(lambda: len(simulator.posts()) == 2, "both photo posts are complete")

    posts = simulator.posts()
    digests = [hashlib.sha256(content).hexdigest() for content in (JPEG, WEBP)]
    assert [post["images"] for post in posts] == [digests, digests]
    assert posts[0]["bytes"] == len(JPEG + WEBP)
    assert posts[0]["sha256"] == posts[1]["sha256"]
    assert simulator.content(tasks[0]["publish_id"]) == JPEG + WEBP
    assert ("/1.jpg?signature=s", "eu.media.example") in origin.asked
    status = client.status(tasks[0])
    assert status["status"] == "PUBLISH_COMPLETE"
    # Two pulls run side by side: which of them completes first is nobody's promise.
    [own] = [post for post in posts if post["publish_id"] == tasks[0]["publish_id"]]
    assert [str(one) for one in status["publicaly_available_post_id"]] == [own["post_id"]]


def test_a_redirect_fails_the_pull_and_a_busy_host_is_asked_again(
    start: Start, origin: Origin
) -> None:
    simulator = start("--switch", "pull_retry_s=0")
    client = Client(simulator)

    moved = client.photos("moved.jpg")
    wait_until(lambda: state_of(simulator, moved)["state"] == "FAILED", "the redirect is refused")
    origin.failures_left = 2
    busy = client.pull("a.mp4")
    wait_until(lambda: len(simulator.posts()) == 1, "the third attempt succeeds")

    assert client.status(moved) == {"status": "FAILED", "fail_reason": "photo_pull_failed"}
    assert state_of(simulator, busy)["download_attempts"] == 3
    assert simulator.posts()[0]["sha256"] == hashlib.sha256(VIDEO).hexdigest()


def test_a_download_shows_its_progress_until_it_is_cancelled(start: Start, origin: Origin) -> None:
    simulator = start()
    client = Client(simulator)
    task = client.pull("slow.mp4")
    wait_until(lambda: downloaded(simulator, task) == 1000, "the first bytes are there")

    status = client.status(task)
    cancelled = client.call("cancel/", {"publish_id": task["publish_id"]})
    origin.may_end.set()

    assert status == {"status": "PROCESSING_DOWNLOAD", "downloaded_bytes": 1000}
    assert (cancelled.status_code, list(cancelled.json())) == (200, ["error"])
    assert client.status(task) == {"status": "FAILED", "fail_reason": "publish_cancelled"}
    wait_until(lambda: downloaded(simulator, task) == 0, "the download is forgotten")
    assert simulator.posts() == []


def test_a_download_that_hangs_fails_after_an_hour(start: Start, origin: Origin) -> None:
    simulator = start()
    client = Client(simulator)
    task = client.pull("slow.mp4")
    wait_until(lambda: downloaded(simulator, task) == 1000, "the first bytes are there")

    simulator.advance(HOUR_S)

    wait_until(lambda: state_of(simulator, task)["state"] == "FAILED", "the hour is over")
    assert client.status(task)["fail_reason"] == "video_pull_failed"


def test_time_alone_publishes_a_post(start: Start) -> None:
    simulator = start("--processing-s", "60", "--link-s", "600")
    client = Client(simulator)
    task = client.upload(3)
    assert client.put(task, b"abc").status_code == 201
    assert state_of(simulator, task)["state"] == "PROCESSING_UPLOAD"

    simulator.advance(60)
    wait_until(
        lambda: state_of(simulator, task)["state"] == "PUBLISH_COMPLETE", "processing has ended"
    )
    assert "publicaly_available_post_id" not in client.status(task)
    simulator.advance(600)

    assert len(client.status(task)["publicaly_available_post_id"]) == 1


def test_a_connection_cut_in_the_middle_of_a_chunk_stores_nothing(start: Start) -> None:
    simulator = start()
    client = Client(simulator)
    content = bytes(8 * MB)
    task = client.upload(len(content))
    simulator.fault("put", "cut", after_bytes=MB)

    with pytest.raises(requests.ConnectionError):
        client.put(task, content)

    assert client.status(task) == {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 0}
    assert client.put(task, content).status_code == 201


def test_a_put_that_was_under_way_lands_after_the_hour(start: Start) -> None:
    simulator = start()
    client = Client(simulator)
    task = client.upload(3)
    simulator.hold(0, "before")
    answers: list[int] = []

    def send() -> None:
        answers.append(client.put(task, b"abc").status_code)

    sender = threading.Thread(target=send)
    sender.start()
    simulator.wait_until_held()
    simulator.advance(HOUR_S + 60)
    simulator.release()
    sender.join(DEADLINE_S)

    assert answers == [201]
    assert [post["publish_id"] for post in simulator.posts()] == [task["publish_id"]]


def test_an_upload_left_incomplete_is_answered_as_chosen(start: Start) -> None:
    simulator = start()
    client = Client(simulator)
    task = client.upload(3)
    simulator.switch(expired_upload="processing_without_bytes")
    simulator.advance(HOUR_S)

    silent = client.status(task)
    simulator.switch(expired_upload="processing")
    told = client.status(task)
    simulator.switch(expired_upload="failed")

    assert silent == {"status": "PROCESSING_UPLOAD"}
    assert told == {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 0}
    assert client.status(task) == {"status": "FAILED", "fail_reason": "internal"}


def test_the_next_answers_can_be_scripted(start: Start) -> None:
    simulator = start()
    client = Client(simulator)
    simulator.script(
        "init",
        {"kind": "drop", "when": "after"},
        {"status": 429, "code": "rate_limit_exceeded", "retry_after_s": 9},
        "pass",
    )

    with pytest.raises(requests.ConnectionError):
        client.upload(3)
    limited = client.call("video/init/", {})
    passed = client.upload(3)

    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "9")
    assert [one["publish_id"] for one in simulator.uploads()][1:] == [passed["publish_id"]]


def test_a_person_can_read_what_was_received(start: Start) -> None:
    simulator = start()
    client = Client(simulator)
    task = client.upload(3)
    client.put(task, b"abc")

    page = requests.get(f"{simulator.api}/_sim/", timeout=DEADLINE_S)

    assert page.headers["Content-Type"].startswith("text/html")
    assert hashlib.sha256(b"abc").hexdigest() in page.text
    assert task["publish_id"] in page.text
    assert task["upload_url"].rpartition("=")[2] not in page.text


def downloaded(simulator: Simulator, task: dict[str, Any]) -> int:
    return int(state_of(simulator, task)["downloaded_bytes"])
