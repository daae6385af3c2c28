import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reelflow.domain.chunks import ByteRange, plan_chunks
from reelflow.exceptions import (
    ConfigurationError,
    LeaseLostError,
    ReelflowError,
    SourceChangedError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.source import FileSource
from reelflow.tiktok.answers import ANSWER_MAX_BYTES
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.display_models import UserInfo
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import (
    ChunkAnswer,
    ChunkOutcome,
    InitAnswer,
    PhotoPost,
    PostMode,
    PublishStatus,
    PullFromUrl,
    VideoPost,
)
from reelflow.tiktok.source import BLOCK_BYTES
from tests.far_source import FarSource
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http, ok

TOKEN = "act.s3cret-token"
UPLOAD_PATH = "/upload?upload_id=7512345678901234567&upload_token=s3cret-upload"
CONTENT = os.urandom(3 * BLOCK_BYTES)
CHUNK = ByteRange(100, 2 * BLOCK_BYTES, len(CONTENT))
POST = VideoPost("", "SELF_ONLY")


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[TikTokClient]:
    with TikTokClient(
        host=f"http://{server.address}", extra_upload_hosts=frozenset({server.address})
    ) as client:
        yield client


@pytest.fixture
def source_path(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def source(source_path: Path) -> Iterator[FileSource]:
    fd = os.open(source_path, os.O_RDONLY)
    yield FileSource(fd)
    os.close(fd)


def everything_shown_by(error: BaseException | None) -> str:
    shown = []
    while error is not None:
        shown += [str(error), repr(error), repr(getattr(error, "context", ""))]
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


def test_an_init_goes_to_its_path_with_the_token_and_nothing_of_the_environment(
    server: ScriptedServer, client: TikTokClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login evil password evil\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    upload_url = f"http://{server.address}{UPLOAD_PATH}"
    server.answers = [ok({"publish_id": "v_pub_file~v2-1.7", "upload_url": upload_url})]
    opened = client.init_video(TOKEN, POST, plan_chunks(1))
    assert (opened.publish_id, opened.upload_url) == ("v_pub_file~v2-1.7", upload_url)
    assert server.received[0].line == "POST /v2/post/publish/video/init/ HTTP/1.1"
    assert server.received[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert server.received[0].headers["accept-encoding"] == "identity"


def test_the_other_json_calls_go_to_their_paths(
    server: ScriptedServer, client: TikTokClient
) -> None:
    upload_url = f"http://{server.address}{UPLOAD_PATH}"
    server.answers = [
        ok({"privacy_level_options": ["SELF_ONLY"], "max_video_post_duration_sec": 300}),
        ok({"publish_id": "v_inbox_file~v2.7", "upload_url": upload_url}),
        ok({"status": "FAILED", "fail_reason": "internal"}),
    ]
    assert client.creator_info(TOKEN).privacy_level_options == ("SELF_ONLY",)
    assert client.init_draft(TOKEN, plan_chunks(1)).publish_id == "v_inbox_file~v2.7"
    assert client.fetch_status(TOKEN, "v_inbox_file~v2.7") == PublishStatus("FAILED", "internal")
    assert [received.line.split()[1] for received in server.received] == [
        "/v2/post/publish/creator_info/query/",
        "/v2/post/publish/inbox/video/init/",
        "/v2/post/publish/status/fetch/",
    ]
    assert server.connections == 1


def test_what_tiktok_pulls_opens_without_an_upload_url(
    server: ScriptedServer, client: TikTokClient
) -> None:
    server.answers = [ok({"publish_id": f"v_pub_url~v2.{n}"}) for n in range(3)]
    pull = PullFromUrl("https://media.example/clip.mp4")
    photos = PhotoPost("", "", "SELF_ONLY")
    urls = ["https://media.example/1.jpg"]
    opened = [
        client.init_video(TOKEN, POST, pull),
        client.init_draft(TOKEN, pull),
        client.init_photos(TOKEN, photos, urls, cover_index=0, post_mode=PostMode.DIRECT_POST),
    ]
    assert opened == [InitAnswer(f"v_pub_url~v2.{n}", None) for n in range(3)]
    assert [received.line.split()[1] for received in server.received] == [
        "/v2/post/publish/video/init/",
        "/v2/post/publish/inbox/video/init/",
        "/v2/post/publish/content/init/",
    ]


def test_an_upload_that_opens_without_an_upload_url_is_not_understood(
    server: ScriptedServer, client: TikTokClient
) -> None:
    server.answers = [ok({"publish_id": "v_pub_file~v2-1.7"})]
    with pytest.raises(TikTokUnavailableError, match="upload_url is missing"):
        client.init_video(TOKEN, POST, plan_chunks(1))


def test_a_task_is_cancelled_and_the_account_is_read(
    server: ScriptedServer, client: TikTokClient
) -> None:
    video = {"id": 7678907398077074697, "create_time": 1}
    server.answers = [
        http(200, b'{"error": {"code": "ok"}}'),
        ok({"user": {"open_id": "o-1"}}),
        ok({"videos": [video], "cursor": 5, "has_more": True}),
        ok({"videos": [video]}),
    ]
    client.cancel(TOKEN, "v_pub_url~v2.7")
    assert client.user_info(TOKEN, ["open_id"]) == UserInfo("o-1")
    page = client.list_videos(TOKEN, cursor=9, max_count=1)
    assert (page.cursor, page.has_more) == (5, True)
    assert client.query_videos(TOKEN, ["7678907398077074697"]) == page.videos
    lines = [received.line.partition("?")[0] for received in server.received]
    assert lines == [
        "POST /v2/post/publish/cancel/ HTTP/1.1",
        "GET /v2/user/info/",
        "POST /v2/video/list/",
        "POST /v2/video/query/",
    ]


CALLS: dict[str, Callable[[TikTokClient], object]] = {
    "creator_info": lambda client: client.creator_info(TOKEN),
    "init_video": lambda client: client.init_video(TOKEN, POST, plan_chunks(1)),
    "init_draft": lambda client: client.init_draft(TOKEN, PullFromUrl("https://media.example/a")),
    "init_photos": lambda client: client.init_photos(
        TOKEN,
        PhotoPost("", "", None),
        ["https://media.example/1.jpg"],
        cover_index=0,
        post_mode=PostMode.MEDIA_UPLOAD,
    ),
    "fetch_status": lambda client: client.fetch_status(TOKEN, "v_pub_file~v2-1.7"),
    "cancel": lambda client: client.cancel(TOKEN, "v_pub_file~v2-1.7"),
    "user_info": lambda client: client.user_info(TOKEN, ["open_id"]),
    "list_videos": lambda client: client.list_videos(TOKEN),
    "query_videos": lambda client: client.query_videos(TOKEN, ["7"]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", TikTokUnavailableError),
        (http(503, b"<html>"), TikTokUnavailableError),
        (http(200, b"<html>"), TikTokUnavailableError),
        (http(401, b'{"error": {"code": "access_token_invalid"}}'), TikTokAuthError),
        (http(429), TikTokRateLimitedError),
        (http(200, b'{"error": {"code": "a_code_nobody_knows"}}'), TikTokRejectedError),
        (http(307, Location="https://login.example/"), ConfigurationError),
    ],
    ids=["cut", "5xx", "html", "401", "429", "unknown code", "redirect"],
)
def test_every_call_raises_the_same_errors_and_is_not_repeated(
    server: ScriptedServer,
    client: TikTokClient,
    call: Callable[[TikTokClient], object],
    answer: bytes,
    error: type[ReelflowError],
) -> None:
    server.answers = [answer]
    server.is_cutting = True
    with pytest.raises(error) as caught:
        call(client)
    assert type(caught.value) is error
    assert len(server.received) == 1


def test_an_upload_url_that_is_not_tiktoks_is_refused_before_anything_is_sent_there(
    server: ScriptedServer, client: TikTokClient, source: FileSource
) -> None:
    url = "https://evil.example" + UPLOAD_PATH
    server.answers = [ok({"publish_id": "v_pub_file~v2-1.7", "upload_url": url})]
    with pytest.raises(TikTokRejectedError, match="no byte was sent"):
        client.init_video(TOKEN, POST, plan_chunks(1))
    with pytest.raises(TikTokRejectedError, match="no byte was sent"):
        client.put_chunk(url, source, CHUNK, "video/mp4")


def test_a_chunk_arrives_byte_for_byte_without_authorization_or_cookies(
    server: ScriptedServer, client: TikTokClient, source: FileSource
) -> None:
    progress = f"bytes 0-{CHUNK.last + 1}/{CHUNK.total}"
    server.answers = [http(206, Content_Range=progress, Set_Cookie="a=b"), http(201)]
    url = f"http://{server.address}{UPLOAD_PATH}"
    rest = ByteRange(CHUNK.last + 1, CHUNK.total - 1, CHUNK.total)
    assert client.put_chunk(url, source, CHUNK, "video/mp4") == ChunkAnswer(
        ChunkOutcome.STORED, (CHUNK.last + 1, CHUNK.last + 2)
    )
    assert client.put_chunk(url, source, rest, "video/mp4").outcome is ChunkOutcome.COMPLETE
    first, second = server.received
    assert first.line == f"PUT {UPLOAD_PATH} HTTP/1.1"
    assert first.body + second.body == CONTENT[100:]
    assert first.headers["content-range"] == CHUNK.content_range
    assert first.headers["content-length"] == str(CHUNK.length)
    assert first.headers["content-type"] == "video/mp4"
    unwanted = {"authorization", "cookie", "transfer-encoding", "expect"}
    assert not unwanted & (first.headers.keys() | second.headers.keys())
    assert server.connections == 1


@pytest.mark.parametrize("outcome", list(ChunkOutcome))
def test_every_documented_answer_to_a_chunk_is_an_outcome(
    server: ScriptedServer, client: TikTokClient, source: FileSource, outcome: ChunkOutcome
) -> None:
    server.answers = [http(outcome.value, b"<html>")]
    url = f"http://{server.address}{UPLOAD_PATH}"
    assert client.put_chunk(url, source, CHUNK, "video/mp4") == ChunkAnswer(outcome)


def test_a_redirect_is_not_followed(
    server: ScriptedServer, client: TikTokClient, source: FileSource
) -> None:
    location = f"http://{server.address}/elsewhere"
    server.answers = [http(307, Location=location), http(307, Location=location)]
    with pytest.raises(TikTokRejectedError):
        client.put_chunk(f"http://{server.address}{UPLOAD_PATH}", source, CHUNK, "video/mp4")
    with pytest.raises(ConfigurationError):
        client.creator_info(TOKEN)
    assert len(server.received) == 2


@pytest.mark.parametrize("location", [b"http://[", b"https://\x80.example/"])
def test_a_redirect_to_no_address_is_a_redirect_like_any_other(
    server: ScriptedServer, client: TikTokClient, location: bytes
) -> None:
    server.answers = [b"HTTP/1.1 302 Any\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n" % location]
    with pytest.raises(ConfigurationError, match="HTTP 302"):
        client.creator_info(TOKEN)


BROKEN_ANSWERS = [
    b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
    b"junk\r\n\r\n",
    http(503, b"<html>"),
]


@pytest.mark.parametrize("answer", BROKEN_ANSWERS)
def test_a_broken_answer_to_a_call_leaves_open_what_happened_and_is_not_repeated(
    server: ScriptedServer, client: TikTokClient, answer: bytes
) -> None:
    server.answers = [answer]
    server.is_cutting = True
    with pytest.raises(TikTokUnavailableError) as caught:
        client.creator_info(TOKEN)
    assert type(caught.value) is TikTokUnavailableError
    assert len(server.received) == 1


@pytest.mark.parametrize("answer", BROKEN_ANSWERS)
def test_a_broken_answer_to_a_chunk_leaves_open_what_happened_and_is_not_repeated(
    server: ScriptedServer, client: TikTokClient, source: FileSource, answer: bytes
) -> None:
    server.answers = [answer]
    server.is_cutting = True
    with pytest.raises(TikTokUnavailableError) as caught:
        client.put_chunk(f"http://{server.address}{UPLOAD_PATH}", source, CHUNK, "video/mp4")
    assert type(caught.value) is TikTokUnavailableError
    assert len(server.received) == 1


def test_an_answer_that_does_not_come_leaves_open_what_happened(server: ScriptedServer) -> None:
    server.answers = [b""]
    limits = TikTokLimits(read_timeout_s=0.01)
    with (
        TikTokClient(host=f"http://{server.address}", limits=limits) as client,
        pytest.raises(TikTokUnavailableError, match="may or may not have been carried out"),
    ):
        client.creator_info(TOKEN)


def test_an_answer_without_an_end_is_not_read_forever(
    server: ScriptedServer, client: TikTokClient
) -> None:
    success = b'{"data": {"status": "FAILED"}, "error": {"code": "ok"}}'
    server.answers = [http(200, success + b" " * ANSWER_MAX_BYTES)]
    with pytest.raises(TikTokUnavailableError):
        client.fetch_status(TOKEN, "v_pub_file~v2-1.7")


def test_an_unreachable_host_is_told_apart_because_nothing_was_sent(
    closed_address: str, source: FileSource
) -> None:
    with TikTokClient(
        host=f"http://{closed_address}", extra_upload_hosts=frozenset({closed_address})
    ) as client:
        with pytest.raises(TikTokUnreachableError, match="nothing was sent"):
            client.creator_info(TOKEN)
        with pytest.raises(TikTokUnreachableError, match=closed_address):
            client.put_chunk(f"http://{closed_address}{UPLOAD_PATH}", source, CHUNK, "video/mp4")


def test_a_source_that_shrank_stops_the_chunk_instead_of_sending_less(
    server: ScriptedServer, client: TikTokClient, source_path: Path, source: FileSource
) -> None:
    os.truncate(source_path, BLOCK_BYTES)
    with pytest.raises(SourceChangedError, match=f"then {BLOCK_BYTES}\\)"):
        client.put_chunk(f"http://{server.address}{UPLOAD_PATH}", source, CHUNK, "video/mp4")


def test_a_chunk_that_fails_ends_the_stream_it_came_from(
    server: ScriptedServer, client: TikTokClient
) -> None:
    url = f"http://{server.address}{UPLOAD_PATH}"
    whole, cut = FarSource(CONTENT), FarSource(CONTENT[:BLOCK_BYTES])
    server.answers += [http(206)]
    client.put_chunk(url, whole, CHUNK, "video/mp4")
    assert server.received[0].body == CONTENT[CHUNK.first : CHUNK.last + 1]
    with pytest.raises(SourceChangedError):
        client.put_chunk(url, cut, CHUNK, "video/mp4")
    assert (whole.closed, cut.closed) == (1, 1)


def test_a_lost_lease_stops_the_chunk_between_two_blocks(
    server: ScriptedServer, client: TikTokClient, source: FileSource
) -> None:
    calls = 0

    def lose_the_lease() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise LeaseLostError("The lease went to another process.")

    url = f"http://{server.address}{UPLOAD_PATH}"
    with pytest.raises(LeaseLostError):
        client.put_chunk(url, source, CHUNK, "video/mp4", checkpoint=lose_the_lease)
    assert calls == 2


def test_a_chunk_that_takes_too_long_is_given_up(
    server: ScriptedServer, source: FileSource
) -> None:
    now_s = iter([0.0, 899.0, 901.0])
    client = TikTokClient(
        host=f"http://{server.address}",
        extra_upload_hosts=frozenset({server.address}),
        clock=lambda: next(now_s),
    )
    with client, pytest.raises(TikTokUnavailableError, match="took over 900 s"):
        client.put_chunk(f"http://{server.address}{UPLOAD_PATH}", source, CHUNK, "video/mp4")


def test_a_host_that_cannot_be_used_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError):
        TikTokClient(host="http://open.tiktokapis.com")


def cut(server: ScriptedServer) -> None:
    server.is_cutting = True
    server.answers = [b""]


def refuse(server: ScriptedServer) -> None:
    server.answers = [http(401)]


def stop(server: ScriptedServer) -> None:
    server.stop()


@pytest.mark.parametrize("fail", [cut, refuse, stop])
def test_no_failure_shows_the_token_or_the_upload_url(
    server: ScriptedServer,
    client: TikTokClient,
    source: FileSource,
    caplog: pytest.LogCaptureFixture,
    fail: Callable[[ScriptedServer], None],
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = repr(client)
    fail(server)
    with pytest.raises(ReelflowError) as caught:
        client.creator_info(TOKEN)
    shown += everything_shown_by(caught.value)
    fail(server)
    with pytest.raises(ReelflowError) as caught:
        client.put_chunk(f"http://{server.address}{UPLOAD_PATH}", source, CHUNK, "video/mp4")
    shown += everything_shown_by(caught.value) + caplog.text
    assert "s3cret" not in shown


def test_a_chunk_that_is_sent_leaves_no_upload_url_in_a_debug_log(
    server: ScriptedServer,
    client: TikTokClient,
    source: FileSource,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers = [http(206)]
    client.put_chunk(f"http://{server.address}{UPLOAD_PATH}", source, CHUNK, "video/mp4")
    assert "/upload?… " in caplog.text
    assert "s3cret" not in caplog.text


def test_importing_the_client_loads_nothing_heavy() -> None:
    heavy = "{'httpx', 'boto3', 'fastapi', 'PIL', 'airflow', 'sqlalchemy', 'pydantic'}"
    code = f"import sys, reelflow.tiktok.client; print(sorted({heavy} & sys.modules.keys()))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "PYTHONPATH": "include"},
    )  # fmt: skip
    assert loaded.stdout == "[]\n"
