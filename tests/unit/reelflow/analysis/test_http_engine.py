"""The client of a detection engine, against a small engine that is a real server."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from threading import Event, Thread

import pytest

from reelflow.analysis.base import Analysis, Progress, Subject
from reelflow.analysis.connection import DetectionConnection
from reelflow.analysis.http_engine import HttpEngine
from reelflow.analysis.http_transport import HttpLimits
from reelflow.exceptions import (
    AnalysisLostError,
    AnalysisRefusedError,
    AnalysisUnavailableError,
    ConfigurationError,
)
from tests import media_files
from tests.analysis_subjects import subject
from tests.detection_server import DetectionServer, Reply
from tests.far_source import FarSource

KEY = "dk-secret-key"


@pytest.fixture
def server() -> Iterator[DetectionServer]:
    with DetectionServer() as server:
        yield server


class Sleeps(list[float]):
    """Waits in no time and remembers how long it would have been."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
def engine(server: DetectionServer, sleeps: Sleeps) -> Iterator[HttpEngine]:
    with HttpEngine(DetectionConnection(server.url, KEY), sleep=sleeps) as engine:
        yield engine


@pytest.mark.parametrize("model_type", ["resnet", "cnn", "enhanced", "ensemble"])
def test_a_file_is_sent_and_its_verdict_read(
    server: DetectionServer, engine: HttpEngine, model_type: str
) -> None:
    content = media_files.h264_mp4().read_bytes()
    server.polls_needed = 2
    assert engine.start(subject(content), model_type=model_type) == Analysis("an-1", 3)
    assert engine.poll("an-1") == Progress(is_finished=False, remaining_s=2)
    assert engine.poll("an-1") == Progress(is_finished=True)
    verdict = engine.read("an-1")
    assert (verdict.id, verdict.engine, verdict.model_type) == ("v-an-1", "http", model_type)
    assert (verdict.is_fake, verdict.confidence, verdict.seconds) == (True, 0.93, 4.5)
    assert verdict.details == {"summary": "the face does not blink", "frames": 12}
    sent = server.calls[0]
    assert sent.body == content
    assert sent.headers["content-length"] == str(len(content))
    assert sent.headers["content-type"] == "video/mp4"
    assert sent.headers["x-content-sha256"] == sha256(content).hexdigest()
    assert {call.headers["authorization"] for call in server.calls} == {f"Bearer {KEY}"}


def test_a_file_is_sent_block_by_block(server: DetectionServer, engine: HttpEngine) -> None:
    content = bytes(range(256)) * 4096 * 3 + b"end"
    engine.start(subject(content), model_type="cnn")
    assert server.calls[0].body == content


def test_a_file_that_lies_far_away_is_sent_as_one_stream(
    server: DetectionServer, engine: HttpEngine
) -> None:
    content = bytes(range(256)) * 4096 * 3 + b"end"
    source = FarSource(content)
    engine.start(Subject(source, "mp4", sha256(content).hexdigest()), model_type="cnn")
    assert server.calls[0].body == content
    assert server.calls[0].headers["content-length"] == str(len(content))
    assert source.streams == [(0, len(content))]
    assert source.closed == 1


def test_a_call_that_is_repeated_sends_the_whole_stream_again(
    server: DetectionServer, engine: HttpEngine
) -> None:
    server.interruptions = [Reply(503)]
    source = FarSource(b"far" * 100_000)
    engine.start(Subject(source, "mp4", "0" * 64), model_type="cnn")
    assert [call.body for call in server.calls] == [b"far" * 100_000] * 2
    assert source.closed == len(source.streams) == 2


def test_an_engine_that_may_fetch_gets_the_address_alone(server: DetectionServer) -> None:
    url = "https://files.example.com/clip.mp4?signature=s3cret"
    with HttpEngine(DetectionConnection(server.url, sends_url=True)) as engine:
        engine.start(subject(b"x", url=url), model_type="resnet")
    assert server.calls[0].body == b'{"url": "' + url.encode() + b'"}'
    assert "authorization" not in server.calls[0].headers
    assert url not in repr(subject(b"x", url=url))


def test_an_engine_that_wants_addresses_gets_no_file_without_one(server: DetectionServer) -> None:
    with (
        HttpEngine(DetectionConnection(server.url, sends_url=True)) as engine,
        pytest.raises(ConfigurationError, match=r"data folder have no address.*S3"),
    ):
        engine.start(subject(b"bytes"), model_type="resnet")
    assert server.calls == []


def test_a_call_that_fails_is_repeated_with_growing_pauses(
    server: DetectionServer, engine: HttpEngine, sleeps: Sleeps
) -> None:
    server.interruptions = [Reply(503), Reply(500), Reply(429, headers={"Retry-After": "7"})]
    assert engine.start(subject(b"file"), model_type="cnn").id == "an-4"
    assert sleeps == [1, 2, 7]
    assert [call.body for call in server.calls] == [b"file"] * 4
    assert len({call.headers["idempotency-key"] for call in server.calls}) == 1


def test_an_engine_that_stays_busy_is_left_to_a_later_task(
    server: DetectionServer, engine: HttpEngine, sleeps: Sleeps
) -> None:
    server.interruptions = [Reply(503)] * 4
    with pytest.raises(AnalysisUnavailableError, match="HTTP 503"):
        engine.start(subject(b"file"), model_type="cnn")
    server.interruptions = [Reply(429, headers={"Retry-After": "600"})]
    with pytest.raises(AnalysisUnavailableError) as caught:
        engine.start(subject(b"file"), model_type="cnn")
    assert caught.value.retry_after_s == 600
    assert sleeps == [1, 2, 4]


def test_an_engine_that_does_not_run_is_named_without_the_key(sleeps: Sleeps) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with (
        HttpEngine(DetectionConnection(f"http://{address}", KEY), sleep=sleeps) as engine,
        pytest.raises(AnalysisUnavailableError) as caught,
    ):
        engine.poll("an-1")
    assert address in str(caught.value)
    assert KEY not in repr(caught.value) + repr(engine.__dict__)
    assert caught.value.__context__ is None
    assert sleeps == [1, 2, 4]


def test_certificates_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
    with (
        HttpEngine(DetectionConnection("https://127.0.0.1:1", KEY)) as engine,
        pytest.raises(ConfigurationError, match=r"/none\.pem, which does not exist"),
    ):
        engine.poll("an-1")


@pytest.mark.parametrize(
    "address",
    [
        "https://files.example.com/clip.mp4?",
        "HTTPS://files.example.com/clip.mp4?",
        "(host='files.example.com', port=443): Max retries exceeded with url: /clip.mp4?",
    ],
)
def test_what_an_engine_quotes_of_key_and_address_is_hidden(
    server: DetectionServer, engine: HttpEngine, address: str
) -> None:
    quoted = f"{KEY} may not fetch? {address}X-Amz-Signature=s3cret&a=b."
    hidden = f"*** may not fetch? {address}***"
    said = json.dumps({"error": {"message": quoted}}).encode()
    server.interruptions = [
        Reply(401, said),
        Reply(422, said),
        Reply(200, json.dumps({"status": "failed", "error": quoted}).encode()),
    ]
    with pytest.raises(ConfigurationError) as refused:
        engine.start(subject(b"file"), model_type="cnn")
    with pytest.raises(AnalysisRefusedError) as unwanted:
        engine.start(subject(b"file"), model_type="cnn")
    with pytest.raises(AnalysisRefusedError) as failed:
        engine.poll("an-1")
    for error in (refused, unwanted, failed):
        assert hidden in str(error.value)
        assert KEY not in repr(error.value)
        assert "s3cret" not in repr(error.value)
    server.verdict["details"] = {quoted: [quoted]}
    assert engine.read(engine.start(subject(b"file"), model_type="cnn").id).details == {
        hidden: [hidden]
    }


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_refused_file_is_refused_in_the_engines_words(
    server: DetectionServer, engine: HttpEngine, sleeps: Sleeps, status: int
) -> None:
    server.interruptions = [Reply(status, b'{"error": {"message": "no face in it\\u001b[2J"}}')]
    with pytest.raises(AnalysisRefusedError, match=r"no face in it\[2J: "):
        engine.start(subject(b"file"), model_type="cnn")
    assert sleeps == []


@pytest.mark.parametrize("status", [401, 403, 404, 301])
def test_what_a_wrong_connection_gets_says_what_to_check(
    server: DetectionServer, engine: HttpEngine, status: int
) -> None:
    server.interruptions = [Reply(status, headers={"Location": "http://127.0.0.1:1/"})]
    with pytest.raises(ConfigurationError, match="detection_default"):
        engine.start(subject(b"file"), model_type="cnn")
    assert len(server.calls) == 1


def test_an_engine_that_forgot_an_analysis_has_lost_it(
    server: DetectionServer, engine: HttpEngine
) -> None:
    engine.start(subject(b"file"), model_type="cnn")
    server.forget()
    with pytest.raises(AnalysisLostError):
        engine.poll("an-1")
    with pytest.raises(AnalysisLostError):
        engine.read("an-1")


def test_an_answer_without_end_is_not_read_to_it(server: DetectionServer) -> None:
    limits = HttpLimits(attempts=1)
    server.interruptions = [Reply(200, b"{" + b" " * (2 * 1024 * 1024))]
    with (
        HttpEngine(DetectionConnection(server.url), limits=limits) as engine,
        pytest.raises(AnalysisUnavailableError, match="did not answer"),
    ):
        engine.poll("an-1")


@contextmanager
def dripping(begin: bytes, drop: bytes) -> Iterator[str]:
    """Serve one answer without end, a drop at a time; give its address."""
    stopped = Event()

    def drip(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client, suppress(OSError):
            client.recv(65536)
            client.sendall(begin)
            while not stopped.wait(0.01):
                client.sendall(drop)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        dripper = Thread(target=drip, args=[listener])
        dripper.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopped.set()
            dripper.join(10)


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "header", "interim answers"],
)
def test_an_answer_that_drips_is_given_up(begin: bytes, drop: bytes) -> None:
    limits = HttpLimits(attempts=1, read_timeout_s=0.2, answer_timeout_s=0.1)
    with (
        dripping(begin, drop) as url,
        HttpEngine(DetectionConnection(url), limits=limits) as engine,
        pytest.raises(AnalysisUnavailableError, match=r"did not answer \(TimeoutError\)"),
    ):
        engine.poll("an-1")


def test_an_id_of_an_engine_cannot_lead_elsewhere(
    server: DetectionServer, engine: HttpEngine
) -> None:
    with pytest.raises(AnalysisLostError):
        engine.poll("../admin?x=1")
    assert server.calls[0].path == "/v1/analyses/..%2Fadmin%3Fx%3D1"
