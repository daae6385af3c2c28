"""Signed media over real connections: what TikTok fetches, and what hostile clients get."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from reelflow.domain.post import PostState
from reelflow.ledger.models import Post
from reelflow.services.publishing.public_media import PublicMedia
from reelflow.services.settling.settle import apply_status
from tests.data_folder import data_folder
from tests.factories import Clock, open_workspace
from tests.integration.publisher import OWNER, Publisher
from tests.integration.simulator_process import Simulator, wait_until
from tests.integration.web_process import DEADLINE_S, SCRIPT, WebProcess, environment, serving
from tests.photo_files import image, make_photo_post

HOST = "reelflow.example"
PUBLIC_URL = f"https://{HOST}"
LARGE = os.urandom(8_000_000)


@pytest.fixture
def clock() -> Clock:
    """The machine's time: `reelflow serve` has no other."""
    return Clock(datetime.now(UTC))


@pytest.fixture
def puller(publisher: Publisher) -> Publisher:
    return publisher.with_rules(public_url=PUBLIC_URL)


@pytest.fixture
def web(puller: Publisher) -> Iterator[WebProcess]:
    with serving(puller.workspace) as web:
        yield web


def signed_path(puller: Publisher, post: Post) -> str:
    return PublicMedia(puller.workspace).url(post.media).removeprefix(PUBLIC_URL)


def test_tiktok_fetches_a_photo_post_through_its_signed_urls(
    puller: Publisher, simulator: Simulator, web: WebProcess
) -> None:
    simulator.serve_domain(HOST, web.address)
    photos = [image(size=(900, 700), shade=shade) for shade in (3, 1, 2)]
    post = make_photo_post(
        puller.workspace, puller.account, images=photos, privacy_level="PUBLIC_TO_EVERYONE"
    )
    puller.upload(post)
    publish_id = puller.current(post).publish_id
    assert publish_id is not None
    token = simulator.accounts[0]["access_token"]

    def is_published() -> bool:
        with simulator.client(puller.limits) as client:
            status = client.fetch_status(token, publish_id)
        state = apply_status(puller.workspace, post.id, publish_id, status, actor=OWNER)
        return state is PostState.PUBLISHED

    wait_until(is_published, "the photos are published")
    (upload,) = simulator.uploads()
    assert upload["images"] == [hashlib.sha256(photo).hexdigest() for photo in photos]
    assert simulator.content(publish_id) == b"".join(photos)
    log = web.log()
    assert log.count("GET of bytes") == 3
    assert signed_path(puller, post).split("/")[-2] not in log


def test_a_large_file_is_sent_whole_and_in_parts(puller: Publisher, web: WebProcess) -> None:
    url = web.address + signed_path(puller, puller.make_post(LARGE))
    whole = requests.get(url, timeout=DEADLINE_S, allow_redirects=False)
    assert (whole.status_code, whole.content) == (200, LARGE)
    for first, last in ((0, 0), (4_000_000, 7_999_999)):
        headers = {"Range": f"bytes={first}-{last}"}
        part = requests.get(url, headers=headers, timeout=DEADLINE_S)
        assert (part.status_code, part.content) == (206, LARGE[first : last + 1])
    head = requests.head(url, timeout=DEADLINE_S)
    assert (head.headers["Content-Length"], head.content) == (str(len(LARGE)), b"")


class Connection:
    """A connection on which anything can be said."""

    def __init__(self, web: WebProcess) -> None:
        self._socket = socket.create_connection(("127.0.0.1", web.port), timeout=DEADLINE_S)

    def say(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, most: int | None = None) -> bytes:
        """Return what comes until the other side closes, or as much as is wanted."""
        said = b""
        while most is None or len(said) < most:
            try:
                block = self._socket.recv(65_536)
            except ConnectionResetError:
                break
            if not block:
                break
            said += block
        return said

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def connection(web: WebProcess) -> Iterator[Connection]:
    with closing(Connection(web)) as connection:
        yield connection


@pytest.fixture(scope="module")
def lasting_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """One server for all that is hostile: it stands it all."""
    workspace = open_workspace(tmp_path_factory.mktemp("home"), Clock(datetime.now(UTC)))
    with serving(workspace) as web:
        yield web


@pytest.fixture
def stranger(lasting_web: WebProcess) -> Iterator[Connection]:
    with closing(Connection(lasting_web)) as connection:
        yield connection


@pytest.mark.parametrize(
    "target",
    [
        "/reelflow/api/v1/public/media/../../../../../../../../etc/passwd",
        "/reelflow/api/v1/public/media/..%2f..%2f..%2f..%2fetc%2fpasswd/1/2/3",
        "/reelflow/api/v1/public/media/%2e%2e/%2e%2e/%2e%2e/etc",
        "/reelflow/api/v1/public/media/a%00b/1/2/3.jpg",
        "/reelflow/api/v1/public/media/a%0d%0aX-Evil:%201/1/2/3.jpg",
        "/reelflow/api/v1/public/media/%ff%fe/%f0%9f/%c3%28/x",
        "http://elsewhere.example/reelflow/api/v1/public/media/a/b/c/d",
        "*",
        "//etc/passwd",
        "/" + "a" * 50_000,
    ],
)
def test_a_hostile_path_leads_nowhere(stranger: Connection, target: str) -> None:
    request = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    stranger.say(request.encode())
    answer = stranger.read()
    status = int(answer.split(b" ", 2)[1])
    assert status in (400, 403, 404, 414)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"evil" not in head.lower()
    assert b"root:" not in body
    assert len(body) < 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"FROBNICATE /reelflow/api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /reelflow/api/v1/health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /reelflow/api/v1/webhooks/tiktok HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /reelflow/api/v1/health HTTP/1.1\r\nHost : x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_the_next_client_is_served(
    lasting_web: WebProcess, stranger: Connection, request_bytes: bytes
) -> None:
    stranger.say(request_bytes)
    answer = stranger.read(12)
    assert answer == b"" or int(answer.split(b" ", 2)[1]) >= 400
    assert requests.get(f"{lasting_web.api}/health", timeout=DEADLINE_S).status_code == 200
    assert "Traceback" not in lasting_web.log()


def test_headers_without_end_are_cut_off(lasting_web: WebProcess, stranger: Connection) -> None:
    stranger.say(b"GET /reelflow/api/v1/health HTTP/1.1\r\n")
    endless = b"X: y\r\n" * 10_000_000
    with pytest.raises(OSError, match=r"reset|pipe"):  # it closes, and reads no more
        stranger.say(endless)
    assert requests.get(f"{lasting_web.api}/health", timeout=DEADLINE_S).status_code == 200


def test_what_is_being_sent_is_sent_to_its_end_before_the_server_stops(
    puller: Publisher, web: WebProcess, connection: Connection
) -> None:
    path = signed_path(puller, puller.make_post(LARGE))
    connection.say(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    begun = connection.read(1000)
    web.ask_to_stop()
    wait_until(lambda: not accepts(web), "it accepts nobody any more")
    _, _, body = (begun + connection.read()).partition(b"\r\n\r\n")
    assert body == LARGE
    assert web.wait() == 0


def accepts(web: WebProcess) -> bool:
    try:
        socket.create_connection(("127.0.0.1", web.port), timeout=DEADLINE_S).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_reader_who_goes_away_leaves_no_file_open(
    puller: Publisher, web: WebProcess, connection: Connection
) -> None:
    path = signed_path(puller, puller.make_post(LARGE))
    connection.say(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    connection.read(1000)
    assert media_held_open(web) == 1
    connection.close()
    wait_until(lambda: media_held_open(web) == 0, "the file is let go")


def media_held_open(web: WebProcess) -> int:
    folder = Path(f"/proc/{web.process.pid}/fd")
    targets = []
    for link in folder.iterdir():
        try:
            targets.append(str(link.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return sum("/media/" in target for target in targets)


def test_a_server_that_cannot_start_says_why_in_one_sentence(
    puller: Publisher, lasting_web: WebProcess, tmp_path: Path
) -> None:
    taken = run_serve(data_folder(puller.workspace).root, "--port", str(lasting_web.port))
    assert taken.returncode == 2
    assert f"port {lasting_web.port}" in taken.stderr
    bare = run_serve(tmp_path / "nowhere", "--port", "0")
    assert bare.returncode == 2
    assert "reelflow db upgrade" in bare.stderr
    assert bare.stdout == taken.stdout == ""


def run_serve(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, "serve", *words],
        env=environment(home, None),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
