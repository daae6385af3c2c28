"""TikTokClient and AsyncStatusClient against the strict simulator, in a process of its own."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from reelflow.domain.chunks import ChunkPlan, plan_chunks
from reelflow.exceptions import (
    LeaseLostError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.source import FileSource
from reelflow.tiktok.aclient import AsyncStatusClient
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.models import ChunkOutcome, InitAnswer, PublishStatus, VideoPost

REPOSITORY = Path(__file__).parents[2]
STORED, COMPLETE = ChunkOutcome.STORED, ChunkOutcome.COMPLETE
PUBLIC = VideoPost("Spring 🌱", "PUBLIC_TO_EVERYONE", video_cover_timestamp_ms=500, is_aigc=True)
SMALL = os.urandom(5_000)
LARGE_BYTES = 64_000_001  # the smallest that needs two chunks


class Simulator:
    """The simulator's process, as its ready line describes it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.ready = json.loads(process.stdout.readline())
        self.token: str = self.ready["accounts"][0]["access_token"]

    def new_client(self) -> TikTokClient:
        upload_host = urlsplit(self.ready["upload"]).netloc
        return TikTokClient(host=self.ready["api"], extra_upload_hosts=frozenset({upload_host}))

    def get(self, path: str) -> Any:
        return requests.get(self.ready["control"] + path, timeout=10).json()

    def post(self, path: str, **body: Any) -> None:
        response = requests.post(self.ready["control"] + path, json=body, timeout=10)
        assert response.ok, response.text


@pytest.fixture(scope="module")
def process() -> Iterator[Simulator]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tiktok_simulator"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "include")},
    )
    try:
        yield Simulator(process)
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture
def simulator(process: Simulator) -> Simulator:
    process.post("/reset")
    return process


@pytest.fixture
def client(simulator: Simulator) -> Iterator[TikTokClient]:
    with simulator.new_client() as client:
        yield client


@pytest.fixture
def small_source(tmp_path: Path) -> Iterator[FileSource]:
    path = tmp_path / "small.mp4"
    path.write_bytes(SMALL)
    fd = os.open(path, os.O_RDONLY)
    yield FileSource(fd)
    os.close(fd)


@pytest.fixture(scope="module")
def large_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "large.mov"
    path.write_bytes(os.urandom(LARGE_BYTES))
    return path


@pytest.fixture
def large_source(large_path: Path) -> Iterator[FileSource]:
    fd = os.open(large_path, os.O_RDONLY)
    yield FileSource(fd)
    os.close(fd)


def open_post(
    client: TikTokClient, simulator: Simulator, size: int
) -> tuple[InitAnswer, ChunkPlan]:
    plan = plan_chunks(size)
    return client.init_video(simulator.token, PUBLIC, plan), plan


def test_a_video_of_several_chunks_arrives_whole_and_is_published(
    client: TikTokClient, simulator: Simulator, large_path: Path, large_source: FileSource
) -> None:
    info = client.creator_info(simulator.token)
    assert PUBLIC.privacy_level in info.privacy_level_options
    opened, plan = open_post(client, simulator, LARGE_BYTES)
    for byte_range, outcome in zip(plan.ranges(), (STORED, COMPLETE), strict=True):
        answer = client.put_chunk(opened.upload_url, large_source, byte_range, "video/quicktime")
        assert answer.outcome is outcome
        assert byte_range.last + 1 in answer.held_bytes
    upload = simulator.get("/uploads")["uploads"][0]
    assert upload["sha256"] == hashlib.sha256(large_path.read_bytes()).hexdigest()
    assert upload["chunks"] == [32_000_000, 32_000_001]
    assert upload["post_info"]["title"] == PUBLIC.title
    assert simulator.get("/uploads")["authorization_violations"] == 0
    statuses = [client.fetch_status(simulator.token, opened.publish_id) for _ in range(3)]
    assert [status.status for status in statuses] == [
        "PROCESSING_UPLOAD",
        "PUBLISH_COMPLETE",
        "PUBLISH_COMPLETE",
    ]
    assert statuses[0].uploaded_bytes == LARGE_BYTES
    post_id = simulator.get("/posts")["posts"][0]["post_id"]
    assert [status.post_ids for status in statuses] == [(), (), (post_id,)]


def test_an_upload_goes_on_in_another_client_after_the_first_chunk(
    client: TikTokClient, simulator: Simulator, large_path: Path, large_source: FileSource
) -> None:
    opened, plan = open_post(client, simulator, LARGE_BYTES)
    client.put_chunk(opened.upload_url, large_source, plan.range_at(0), "video/mp4")
    with simulator.new_client() as successor:
        held = successor.fetch_status(simulator.token, opened.publish_id).uploaded_bytes
        assert held == 32_000_000
        rest = plan.range_at(held)
        assert plan.is_last(rest)
        answer = successor.put_chunk(opened.upload_url, large_source, rest, "video/mp4")
    assert answer.outcome is COMPLETE
    sha256 = hashlib.sha256(large_path.read_bytes()).hexdigest()
    assert [post["sha256"] for post in simulator.get("/posts")["posts"]] == [sha256]


def test_a_chunk_that_is_there_already_is_a_mismatch_that_says_what_is_held(
    client: TikTokClient, simulator: Simulator, large_source: FileSource
) -> None:
    opened, plan = open_post(client, simulator, LARGE_BYTES)
    first = plan.range_at(0)
    client.put_chunk(opened.upload_url, large_source, first, "video/mp4")
    answer = client.put_chunk(opened.upload_url, large_source, first, "video/mp4")
    assert answer.outcome is ChunkOutcome.MISMATCH
    assert first.last + 1 in answer.held_bytes


def test_a_lease_that_is_lost_in_the_last_chunk_publishes_nothing(
    client: TikTokClient, simulator: Simulator, small_source: FileSource
) -> None:
    def lose_the_lease() -> None:
        raise LeaseLostError("The lease went to another process.")

    opened, plan = open_post(client, simulator, len(SMALL))
    with pytest.raises(LeaseLostError):
        client.put_chunk(
            opened.upload_url,
            small_source,
            plan.range_at(0),
            "video/mp4",
            checkpoint=lose_the_lease,
        )
    assert simulator.get("/posts")["posts"] == []
    answer = client.put_chunk(opened.upload_url, small_source, plan.range_at(0), "video/mp4")
    assert answer.outcome is COMPLETE


@pytest.mark.parametrize("kind", ["drop", "error"])
@pytest.mark.parametrize(("when", "held"), [("before", 0), ("after", len(SMALL))])
def test_a_chunk_whose_answer_is_lost_is_cleared_up_by_the_status(
    client: TikTokClient,
    simulator: Simulator,
    small_source: FileSource,
    kind: str,
    when: str,
    held: int,
) -> None:
    opened, plan = open_post(client, simulator, len(SMALL))
    simulator.post("/fault", call="put", kind=kind, when=when)
    with pytest.raises(TikTokUnavailableError):
        client.put_chunk(opened.upload_url, small_source, plan.range_at(0), "video/mp4")
    status = client.fetch_status(simulator.token, opened.publish_id)
    assert status == PublishStatus("PROCESSING_UPLOAD", uploaded_bytes=held)


def test_an_upload_url_lives_an_hour_and_ends_with_its_last_byte(
    client: TikTokClient, simulator: Simulator, small_source: FileSource
) -> None:
    opened, plan = open_post(client, simulator, len(SMALL))
    late, _ = open_post(client, simulator, len(SMALL))
    client.put_chunk(opened.upload_url, small_source, plan.range_at(0), "video/mp4")
    again = client.put_chunk(opened.upload_url, small_source, plan.range_at(0), "video/mp4")
    assert again.outcome is ChunkOutcome.GONE
    simulator.post("/clock", advance_s=3601)
    expired = client.put_chunk(late.upload_url, small_source, plan.range_at(0), "video/mp4")
    assert expired.outcome is ChunkOutcome.EXPIRED


def test_a_draft_ends_in_the_inbox(
    client: TikTokClient, simulator: Simulator, small_source: FileSource
) -> None:
    plan = plan_chunks(len(SMALL))
    opened = client.init_draft(simulator.token, plan)
    client.put_chunk(opened.upload_url, small_source, plan.range_at(0), "video/webm")
    client.fetch_status(simulator.token, opened.publish_id)
    status = client.fetch_status(simulator.token, opened.publish_id)
    assert status == PublishStatus("SEND_TO_USER_INBOX")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"call": "creator_info", "kind": "error"}, TikTokUnavailableError),
        ({"call": "creator_info", "kind": "drop"}, TikTokUnavailableError),
        (
            {"call": "creator_info", "kind": "error", "status": 200}
            | {"code": "spam_risk_user_banned_from_posting"},
            TikTokRejectedError,
        ),
        (
            {"call": "creator_info", "kind": "error", "status": 429, "code": "rate_limit_exceeded"},
            TikTokRateLimitedError,
        ),
    ],
)
def test_trouble_of_a_json_call_has_its_error(
    client: TikTokClient, simulator: Simulator, fault: dict[str, Any], error: type[Exception]
) -> None:
    simulator.post("/fault", **fault)
    with pytest.raises(error) as caught:
        client.creator_info(simulator.token)
    assert type(caught.value) is error


def test_what_tiktok_refuses_is_refused_with_its_own_code(
    client: TikTokClient, simulator: Simulator
) -> None:
    with pytest.raises(TikTokAuthError, match="reconnect") as auth:
        client.creator_info("act.unknown")
    assert auth.value.code == "access_token_invalid"
    with pytest.raises(TikTokRejectedError, match="chunk size is invalid") as cut:
        client.init_video(simulator.token, PUBLIC, ChunkPlan(80_000_000, 80_000_000, 1))
    assert cut.value.code == "invalid_params"
    with pytest.raises(TikTokRejectedError) as privacy:
        client.init_video(simulator.token, VideoPost("", "FRIENDS"), plan_chunks(1))
    assert privacy.value.code == "privacy_level_option_mismatch"
    with pytest.raises(TikTokRejectedError) as unknown:
        client.fetch_status(simulator.token, "v_pub_file~v2-1.1")
    assert unknown.value.code == "invalid_publish_id"


def test_the_seventh_init_in_a_minute_is_told_to_wait(
    client: TikTokClient, simulator: Simulator
) -> None:
    for _ in range(6):
        open_post(client, simulator, 1)
    with pytest.raises(TikTokRateLimitedError) as caught:
        open_post(client, simulator, 1)
    assert caught.value.retry_after_s == 60


def test_the_upload_host_gets_bytes_only_if_the_settings_allow_it(simulator: Simulator) -> None:
    with (
        TikTokClient(host=simulator.ready["api"]) as client,
        pytest.raises(TikTokRejectedError, match="no byte was sent"),
    ):
        open_post(client, simulator, 1)


def test_the_async_client_sees_the_same_status(
    client: TikTokClient, simulator: Simulator, small_source: FileSource
) -> None:
    opened, plan = open_post(client, simulator, len(SMALL))
    client.put_chunk(opened.upload_url, small_source, plan.range_at(0), "video/mp4")

    async def fetch_until_the_link() -> PublishStatus:
        async with AsyncStatusClient(simulator.ready["api"]) as status_client:
            for _ in range(2):
                await status_client.fetch_status(simulator.token, opened.publish_id)
            return await status_client.fetch_status(simulator.token, opened.publish_id)

    status = asyncio.run(fetch_until_the_link())
    assert status.post_ids == (simulator.get("/posts")["posts"][0]["post_id"],)


def test_a_simulator_that_is_down_was_sent_nothing(simulator: Simulator) -> None:
    with (
        TikTokClient(host="http://127.0.0.1:1") as client,
        pytest.raises(TikTokUnreachableError, match="nothing was sent"),
    ):
        client.creator_info(simulator.token)
