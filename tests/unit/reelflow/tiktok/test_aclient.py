import asyncio
import gzip
import logging

import pytest

from reelflow.exceptions import (
    ConfigurationError,
    ReelflowError,
    TikTokAuthError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.tiktok.aclient import AsyncStatusClient
from reelflow.tiktok.answers import ANSWER_MAX_BYTES
from reelflow.tiktok.models import PublishStatus
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http, ok

TOKEN = "act.s3cret-token"
PUBLISH_ID = "v_pub_file~v2-1.7"


def fetch(address: str) -> PublishStatus:
    async def fetch_once() -> PublishStatus:
        async with AsyncStatusClient(f"http://{address}") as client:
            return await client.fetch_status(TOKEN, PUBLISH_ID)

    return asyncio.run(fetch_once())


def test_a_status_is_fetched_as_the_blocking_client_does(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.answers = [
        ok({"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": [7678907398077074697]})
    ]
    assert fetch(server.address).post_ids == ("7678907398077074697",)
    received = server.received[0]
    assert received.line == "POST /v2/post/publish/status/fetch/ HTTP/1.1"
    assert received.headers["authorization"] == f"Bearer {TOKEN}"
    assert received.headers["content-type"] == "application/json; charset=UTF-8"
    assert received.body == b'{"publish_id":"v_pub_file~v2-1.7"}'


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", TikTokUnavailableError),
        (http(503, b"<html>"), TikTokUnavailableError),
        (http(401, b'{"error": {"code": "access_token_invalid"}}'), TikTokAuthError),
    ],
)
def test_each_failure_has_its_error_and_hides_the_token(
    server: ScriptedServer,
    caplog: pytest.LogCaptureFixture,
    answer: bytes,
    error: type[ReelflowError],
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers = [answer]
    server.is_cutting = True
    with pytest.raises(error) as caught:
        fetch(server.address)
    assert type(caught.value) is error
    assert "s3cret" not in caplog.text + repr(caught.value) + repr(caught.value.__context__)


def test_the_calls_of_one_client_share_a_connection(server: ScriptedServer) -> None:
    async def fetch_all() -> None:
        async with AsyncStatusClient(f"http://{server.address}") as client:
            for _ in range(3):
                await client.fetch_status(TOKEN, PUBLISH_ID)

    server.answers = [ok({"status": "PROCESSING_UPLOAD"})] * 3
    asyncio.run(fetch_all())
    assert (len(server.received), server.connections) == (3, 1)


SUCCESS = b'{"data": {"status": "FAILED"}, "error": {"code": "ok"}}'


@pytest.mark.parametrize(
    "answer",
    [
        http(200, SUCCESS + b" " * ANSWER_MAX_BYTES),
        http(200, gzip.compress(SUCCESS), Content_Encoding="gzip"),
    ],
    ids=["endless", "encoded though it was not asked for"],
)
def test_an_answer_without_an_end_or_in_an_encoding_is_not_unpacked(
    server: ScriptedServer, answer: bytes
) -> None:
    server.answers = [answer]
    with pytest.raises(TikTokUnavailableError):
        fetch(server.address)


def test_an_unreachable_host_is_told_apart(closed_address: str) -> None:
    with pytest.raises(TikTokUnreachableError, match=closed_address):
        fetch(closed_address)


def test_a_host_that_cannot_be_used_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError):
        AsyncStatusClient("http://open.tiktokapis.com")
