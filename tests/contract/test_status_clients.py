"""One suite for both clients that ask for a status: the worker's and the trigger's."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.domain.chunks import plan_chunks
from reelflow.exceptions import (
    ReelflowError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.source import FileSource
from reelflow.tiktok.aclient import AsyncStatusClient
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import PublishStatus, VideoPost
from tests.integration.simulator_process import Simulator

Ask = Callable[[str, str, str], PublishStatus]
SIZE = 4_000


def ask_blocking(host: str, access_token: str, publish_id: str) -> PublishStatus:
    with TikTokClient(host=host) as client:
        return client.fetch_status(access_token, publish_id)


def ask_async(host: str, access_token: str, publish_id: str) -> PublishStatus:
    async def ask() -> PublishStatus:
        async with AsyncStatusClient(host) as client:
            return await client.fetch_status(access_token, publish_id)

    return asyncio.run(ask())


@pytest.fixture(params=[ask_blocking, ask_async], ids=["blocking", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    client: Ask = request.param
    return client


@pytest.fixture
def token(simulator: Simulator) -> str:
    return simulator.accounts[0]["access_token"]


@pytest.fixture
def publish_id(simulator: Simulator, token: str, tmp_path: Path) -> str:
    """A publication whose bytes TikTok has; it was not asked about yet."""
    video = tmp_path / "video"
    video.write_bytes(os.urandom(SIZE))
    plan = plan_chunks(SIZE)
    with simulator.client(TikTokLimits()) as client, video.open("rb") as source:
        opened = client.init_video(token, VideoPost("", "PUBLIC_TO_EVERYONE"), plan)
        client.put_chunk(
            opened.upload_url, FileSource(source.fileno()), plan.range_at(0), "video/mp4"
        )
    return opened.publish_id


def test_a_post_is_followed_from_processing_to_its_19_digit_id(
    ask: Ask, simulator: Simulator, token: str, publish_id: str
) -> None:
    answers = [ask(simulator.api, token, publish_id) for _ in range(3)]
    assert answers[0] == PublishStatus("PROCESSING_UPLOAD", uploaded_bytes=SIZE)
    assert answers[1] == PublishStatus("PUBLISH_COMPLETE")
    assert answers[2].post_ids == (simulator.posts()[0]["post_id"],)


def test_a_failed_post_carries_tiktoks_reason(
    ask: Ask, simulator: Simulator, token: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    simulator.fail_next("frame_rate_check_failed")
    publish_id = request.getfixturevalue("publish_id")
    statuses = [ask(simulator.api, token, publish_id) for _ in range(2)]
    assert statuses[-1] == PublishStatus("FAILED", fail_reason="frame_rate_check_failed")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 503}, TikTokUnavailableError),
        ({"kind": "drop"}, TikTokUnavailableError),
        ({"status": 429, "code": "rate_limit_exceeded"}, TikTokRateLimitedError),
        ({"status": 401, "code": "access_token_invalid"}, TikTokAuthError),
        ({"status": 400, "code": "a_code_nobody_knows"}, TikTokRejectedError),
    ],
    ids=["gateway", "cut", "rate limit", "token", "unknown code"],
)
def test_a_fault_is_the_same_error_and_shows_no_token(
    ask: Ask,
    simulator: Simulator,
    token: str,
    publish_id: str,
    fault: dict[str, object],
    error: type[ReelflowError],
) -> None:
    simulator.fault("status", when="before", **fault)  # type: ignore[arg-type]
    with pytest.raises(error) as caught:
        ask(simulator.api, token, publish_id)
    assert token not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"


def test_somebody_elses_publication_is_refused(
    ask: Ask, simulator: Simulator, publish_id: str
) -> None:
    stranger = simulator.accounts[1]["access_token"]
    with pytest.raises(TikTokRejectedError) as caught:
        ask(simulator.api, stranger, publish_id)
    assert caught.value.code == "token_not_authorized_for_specified_publish_id"


def test_a_host_where_nobody_listens_is_unreachable(ask: Ask) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(TikTokUnreachableError):
            ask(host, "act.nobody", "v_pub_file~v2-1.1")
