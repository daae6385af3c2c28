"""The simulator as a process: its ready line, real connections, real signals."""

import hashlib
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

DEADLINE_S = 30
INCLUDE = Path(__file__).parents[2] / "include"
CHUNK = 5_242_880


class Simulator:
    """One running process, and the few calls the tests make."""

    def __init__(self, tmp_path: Path, *arguments: str) -> None:
        self.stderr_path = tmp_path / "stderr.txt"
        self.scratch = tmp_path / "scratch"
        self.scratch.mkdir(exist_ok=True)
        with self.stderr_path.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tiktok_simulator", *arguments],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, "PYTHONPATH": str(INCLUDE), "TMPDIR": str(self.scratch)},
            )

    def wait_until_ready(self) -> None:
        stdout = self.process.stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            assert selector.select(DEADLINE_S), "no ready line"
        self.ready = json.loads(stdout.readline())
        self.headers = {"Authorization": f"Bearer {self.ready['accounts'][0]['access_token']}"}

    def call(self, path: str, body: Any) -> requests.Response:
        url = f"{self.ready['api']}/v2/post/publish/{path}"
        return requests.post(url, json=body, headers=self.headers, timeout=DEADLINE_S)

    def init(self, size: int, chunk: int, count: int) -> dict[str, str]:
        body = {
            "post_info": {"privacy_level": "PUBLIC_TO_EVERYONE", "title": "a"},
            "source_info": {
                "source": "FILE_UPLOAD",
                "video_size": size,
                "chunk_size": chunk,
                "total_chunk_count": count,
            },
        }
        return dict(self.call("video/init/", body).json()["data"])

    def put(self, url: str, data: bytes, first: int, total: int) -> requests.Response:
        span = f"bytes {first}-{first + len(data) - 1}/{total}"
        headers = {"Content-Type": "video/mp4", "Content-Range": span}
        return requests.put(url, data=data, headers=headers, timeout=DEADLINE_S)

    def status(self, task: dict[str, str]) -> dict[str, Any]:
        answer = self.call("status/fetch/", {"publish_id": task["publish_id"]})
        return dict(answer.json()["data"])

    def see(self, path: str) -> Any:
        return requests.get(f"{self.ready['control']}/{path}", timeout=DEADLINE_S).json()

    def steer(self, path: str, **body: Any) -> None:
        url = f"{self.ready['control']}/{path}"
        requests.post(url, json=body, timeout=DEADLINE_S).raise_for_status()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, bytes]:
        self.process.send_signal(number)
        stdout, _ = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, stdout


Start = Callable[..., Simulator]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Simulator] = []

    def start(*arguments: str) -> Simulator:
        simulator = Simulator(tmp_path, *arguments)
        started.append(simulator)
        simulator.wait_until_ready()
        return simulator

    yield start
    for simulator in started:
        if simulator.process.poll() is None:
            simulator.process.kill()
        simulator.process.communicate(timeout=DEADLINE_S)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.01)


def test_two_chunks_arrive_byte_for_byte_and_sigterm_leaves_nothing(start: Start) -> None:
    simulator = start()
    content = random.Random(7).randbytes(2 * CHUNK + 12_345)
    task = simulator.init(len(content), CHUNK, 2)

    first = simulator.put(task["upload_url"], content[:CHUNK], 0, len(content))
    last = simulator.put(task["upload_url"], content[CHUNK:], CHUNK, len(content))

    assert (first.status_code, last.status_code) == (206, 201)
    assert urlsplit(task["upload_url"]).port != urlsplit(simulator.ready["api"]).port
    (post,) = simulator.see("posts")["posts"]
    assert post["sha256"] == hashlib.sha256(content).hexdigest()
    url = f"{simulator.ready['control']}/uploads/{task['publish_id']}/content"
    assert requests.get(url, timeout=DEADLINE_S).content == content
    assert simulator.stop() == (0, b"")
    assert list(simulator.scratch.iterdir()) == []
    log = simulator.stderr_path.read_text()
    assert "PUT /upload -> 201" in log
    for secret in (task["upload_url"].rpartition("=")[2], simulator.headers["Authorization"][7:]):
        assert secret not in log


def test_the_ready_line_names_both_ports_the_control_url_and_five_accounts(start: Start) -> None:
    ready = start().ready

    assert sorted(ready) == [
        "accounts",
        "api",
        "client_key",
        "client_secret",
        "control",
        "upload",
    ]
    assert ready["control"] == f"{ready['api']}/_sim"
    assert len(ready["accounts"]) == 5
    assert {tuple(sorted(one)) for one in ready["accounts"]} == {
        ("access_token", "open_id", "refresh_token", "username")
    }


def test_a_seed_keeps_the_accounts_over_a_restart(start: Start) -> None:
    first, second = start("--seed", "5"), start("--seed", "5")

    assert first.ready["accounts"] == second.ready["accounts"]
    assert start().ready["accounts"] != first.ready["accounts"]


def test_ports_can_be_chosen_and_a_taken_one_is_named(start: Start, tmp_path: Path) -> None:
    first = start()
    port = urlsplit(first.ready["api"]).port
    second = Simulator(tmp_path, "--port", str(port))
    second.process.communicate(timeout=DEADLINE_S)

    assert second.process.returncode == 1
    assert f"Port {port} cannot be opened" in second.stderr_path.read_text()
    first.stop()
    again = start("--port", str(port))
    assert urlsplit(again.ready["api"]).port == port


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "65536"),
        ("--link-polls", "-1"),
        ("--seed", "x"),
        ("now",),
        ("--app-type", "web"),
        ("--switch", "late_put=perhaps"),
        ("--webhook-url", "http://example.com/"),
        ("--token-lifetime-s", "0"),
    ],
)
def test_arguments_that_mean_nothing_end_it_with_2(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    simulator = Simulator(tmp_path, *arguments)
    simulator.process.communicate(timeout=DEADLINE_S)

    assert simulator.process.returncode == 2


def test_the_poll_options_decide_when_the_id_appears(start: Start) -> None:
    simulator = start("--processing-polls", "0", "--link-polls", "0")
    task = simulator.init(1, 1, 1)
    simulator.put(task["upload_url"], b"a", 0, 1)

    status = simulator.status(task)

    (post,) = simulator.see("posts")["posts"]
    assert status["status"] == "PUBLISH_COMPLETE"
    assert [str(number) for number in status["publicaly_available_post_id"]] == [post["post_id"]]


def test_discard_counts_bytes_and_keeps_none(start: Start) -> None:
    simulator = start("--discard")
    task = simulator.init(CHUNK, CHUNK, 1)

    assert simulator.put(task["upload_url"], bytes(CHUNK), 0, CHUNK).status_code == 201

    (post,) = simulator.see("posts")["posts"]
    assert (post["bytes"], post["sha256"]) == (CHUNK, None)
    assert [path for path in simulator.scratch.rglob("*") if path.is_file()] == []


def test_a_client_that_dies_in_mid_chunk_leaves_nothing_of_it(start: Start) -> None:
    simulator = start()
    task = simulator.init(1_000_000, 1_000_000, 1)
    url = urlsplit(task["upload_url"])
    assert url.hostname is not None
    head = (
        f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: video/mp4\r\n"
        "Content-Length: 1000000\r\nContent-Range: bytes 0-999999/1000000\r\n\r\n"
    )
    with socket.create_connection((url.hostname, url.port or 0), DEADLINE_S) as connection:
        connection.sendall(head.encode() + bytes(500_000))
        wait_for(lambda: _stored_files(simulator) == 1)
    wait_for(lambda: _stored_files(simulator) == 0)

    assert simulator.status(task) == {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 0}
    assert simulator.put(task["upload_url"], bytes(1_000_000), 0, 1_000_000).status_code == 201


@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_a_dropped_put_has_no_answer(start: Start, when: str, stored: int) -> None:
    simulator = start()
    task = simulator.init(1, 1, 1)
    simulator.steer("fault", call="put", kind="drop", when=when, chunk=-1)

    with pytest.raises(requests.ConnectionError):
        simulator.put(task["upload_url"], b"a", 0, 1)

    assert simulator.status(task)["uploaded_bytes"] == stored


def test_a_dropped_init_leaves_a_task_nobody_heard_of(start: Start) -> None:
    simulator = start()
    simulator.steer("fault", call="init", kind="drop", when="after")

    with pytest.raises(requests.ConnectionError):
        simulator.init(1, 1, 1)

    assert len(simulator.see("uploads")["uploads"]) == 1
    assert simulator.init(1, 1, 1)["publish_id"]


@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_a_held_put_waits_for_its_release(start: Start, when: str, stored: int) -> None:
    simulator = start()
    task = simulator.init(1, 1, 1)
    simulator.steer("hold", chunk=0, when=when)
    answers: list[int] = []

    def send() -> None:
        answers.append(simulator.put(task["upload_url"], b"a", 0, 1).status_code)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        wait_for(lambda: bool(simulator.see("held")["held"]))
        (upload,) = simulator.see("uploads")["uploads"]
        assert (upload["received_bytes"], answers) == (stored, [])
    finally:
        simulator.steer("release")
        sender.join(DEADLINE_S)

    assert answers == [201]
    assert simulator.see("held") == {"held": False, "slow": 0}


def test_a_slow_call_is_counted_until_it_ends_though_its_caller_hung_up(start: Start) -> None:
    simulator = start()
    task = simulator.init(1, 1, 1)
    simulator.steer("fault", call="put", kind="slow", delay_s=0.5)

    with pytest.raises(requests.ReadTimeout):
        requests.put(
            task["upload_url"],
            data=b"a",
            headers={"Content-Type": "video/mp4", "Content-Range": "bytes 0-0/1"},
            timeout=(DEADLINE_S, 0.1),
        )

    assert simulator.see("held")["slow"] == 1
    wait_for(lambda: simulator.see("held")["slow"] == 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_while_a_put_is_held(start: Start, number: int) -> None:
    simulator = start()
    task = simulator.init(1, 1, 1)
    simulator.steer("hold", chunk=-1, when="after")
    sender = threading.Thread(target=simulator.put, args=(task["upload_url"], b"a", 0, 1))
    sender.start()
    wait_for(lambda: bool(simulator.see("held")["held"]))

    assert simulator.stop(number) == (0, b"")

    sender.join(DEADLINE_S)
    assert "Traceback" not in simulator.stderr_path.read_text()
    assert list(simulator.scratch.iterdir()) == []


def test_an_open_connection_does_not_delay_the_end(start: Start) -> None:
    simulator = start()
    url = urlsplit(simulator.ready["upload"])
    assert url.hostname is not None
    with socket.create_connection((url.hostname, url.port or 0), DEADLINE_S):
        assert simulator.stop()[0] == 0


def _stored_files(simulator: Simulator) -> int:
    return sum(path.suffix == ".chunk" for path in simulator.scratch.rglob("*"))
