"""Downloads: what is fetched from where, how often, and what becomes of it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import httpx
import pytest

from tiktok_simulator.publication import Publication, Pull
from tiktok_simulator.pull import MAX_PHOTO_BYTES, Puller
from tiktok_simulator.state import World

HOUR_S = 3600
JPEG = b"\xff\xd8\xff\xe0" + b"jpeg" * 10
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 " + b"webp" * 10
PNG = b"\x89PNG\r\n\x1a\n" + b"png" * 10
VIDEO = b"a video" * 100
LEVEL = {"privacy_level": "PUBLIC_TO_EVERYONE"}
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def no_waiting(world: World) -> None:
    world.switches.pull_retry_s = 0


def video(world: World) -> Publication:
    pull = Pull(("https://media.example/a.mp4?signature=s%2F1",))
    return world.start_direct_post(world.accounts[0], LEVEL, pull)


def photos(world: World, *names: str) -> Publication:
    pull = Pull(tuple(f"https://media.example/{name}" for name in names), 0)
    return world.start_direct_post(world.accounts[0], LEVEL, pull, "photo")


def download(world: World, answer: Answer) -> None:
    async def scenario() -> None:
        async with Puller(world, httpx.MockTransport(answer)) as puller:
            await puller.drain()

    asyncio.run(scenario())


def test_a_video_is_downloaded_and_processed(world: World) -> None:
    one = video(world)
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return ok(VIDEO)

    download(world, answer)

    assert [str(request.url) for request in asked] == [
        "https://media.example/a.mp4?signature=s%2F1"
    ]
    assert asked[0].headers["accept-encoding"] == "identity"
    assert one.received.sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert (one.stage, one.download_attempts) == ("processing", 1)
    answers = [world.poll(one) for _ in range(3)]
    assert answers[0] == {"status": "PROCESSING_DOWNLOAD", "downloaded_bytes": len(VIDEO)}
    assert answers[2]["publicaly_available_post_id"] == [one.post_id]


def test_a_mapped_host_is_asked_at_its_address_under_its_own_name(world: World) -> None:
    video(world)
    world.connect_to["media.example"] = "http://127.0.0.1:8000"
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return ok(VIDEO)

    download(world, answer)

    assert str(asked[0].url) == "http://127.0.0.1:8000/a.mp4?signature=s%2F1"
    assert asked[0].headers["host"] == "media.example"


def test_photos_are_kept_one_by_one_in_their_order(world: World) -> None:
    one = photos(world, "1.jpg", "2.webp")
    files = {"/1.jpg": JPEG, "/2.webp": WEBP}

    download(world, lambda request: ok(files[request.url.path]))

    digests = [hashlib.sha256(content).hexdigest() for content in (JPEG, WEBP)]
    assert one.received.part_sha256s == digests
    assert one.received.chunk_sizes == [len(JPEG), len(WEBP)]
    assert b"".join(one.received.content()) == JPEG + WEBP
    assert world.poll(one)["downloaded_bytes"] == len(JPEG + WEBP)


@pytest.mark.parametrize(("status", "attempts"), [(301, 1), (302, 1), (403, 1), (404, 1), (500, 3)])
def test_redirects_and_refusals_fail_at_once_and_gateways_after_three_attempts(
    world: World, status: int, attempts: int
) -> None:
    clip, images = video(world), photos(world, "1.jpg")
    elsewhere = {"Location": "https://media.example/b.mp4"}

    download(world, lambda _: httpx.Response(status, headers=elsewhere))

    assert world.poll(clip) == {"status": "FAILED", "fail_reason": "video_pull_failed"}
    assert world.poll(images) == {"status": "FAILED", "fail_reason": "photo_pull_failed"}
    assert clip.download_attempts == attempts
    assert clip.received.size_bytes == clip.downloaded_bytes == 0


def test_a_download_that_fails_once_is_tried_again_from_its_beginning(world: World) -> None:
    one = photos(world, "1.jpg", "2.webp")
    trouble: list[Callable[[], httpx.Response]] = [
        lambda: httpx.Response(503),
        lambda: httpx.Response(200, content=_cut(JPEG)),
        partial(ok, JPEG),
        partial(ok, WEBP),
    ]

    download(world, lambda _: trouble.pop(0)())

    assert (one.download_attempts, one.downloaded_bytes) == (4, len(JPEG + WEBP))
    assert b"".join(one.received.content()) == JPEG + WEBP


def test_a_connection_that_ends_as_it_begins_is_tried_again(world: World) -> None:
    one = video(world)
    gone: Any = None  # what uvloop gives of the socket then
    trouble: list[Callable[[], httpx.Response]] = [lambda: gone.getpeername(), partial(ok, VIDEO)]

    download(world, lambda _: trouble.pop(0)())

    assert (one.download_attempts, one.downloaded_bytes) == (2, len(VIDEO))


def test_a_bug_of_ours_is_not_taken_for_a_bad_connection(world: World) -> None:
    video(world)
    nothing: Any = None
    with pytest.raises(AttributeError, match="answer"):
        download(world, lambda _: nothing.answer())


@pytest.mark.parametrize("choice", ["file_format_check_failed", "photo_pull_failed"])
def test_what_is_neither_jpeg_nor_webp_fails_after_the_download(world: World, choice: Any) -> None:
    world.switches.photo_format = choice
    one = photos(world, "1.jpg", "2.png")
    files = {"/1.jpg": JPEG, "/2.png": PNG}

    download(world, lambda request: ok(files[request.url.path]))

    answers = [world.poll(one) for _ in range(2)]
    assert answers[0]["status"] == "PROCESSING_DOWNLOAD"
    assert answers[1] == {"status": "FAILED", "fail_reason": choice}
    assert one.post_ids == []


@pytest.mark.parametrize("content", [b"", JPEG + bytes(MAX_PHOTO_BYTES)])
def test_an_empty_image_and_one_beyond_20_mb_fail(world: World, content: bytes) -> None:
    one = photos(world, "1.jpg")

    download(world, lambda _: ok(content))

    assert world.poll(one) == {"status": "FAILED", "fail_reason": "photo_pull_failed"}


@pytest.mark.parametrize("event", ["cancel", "expiry", "reset"])
def test_a_download_nobody_waits_for_stores_nothing(world: World, event: str) -> None:
    one = video(world)

    async def body() -> AsyncIterator[bytes]:
        yield VIDEO
        if event == "cancel":
            world.lifecycle.cancel(one)
        elif event == "expiry":
            world.clock.advance(HOUR_S)
        else:
            world.reset()
        yield VIDEO

    download(world, lambda _: httpx.Response(200, content=body()))

    assert (one.received.size_bytes, one.downloaded_bytes, one.completed_at) == (0, 0, None)


def test_a_download_that_hangs_is_stopped_when_it_is_cancelled(world: World) -> None:
    one = video(world)

    async def scenario() -> None:
        is_hanging, never = asyncio.Event(), asyncio.Event()

        async def hang(request: httpx.Request) -> httpx.Response:
            is_hanging.set()
            await never.wait()
            return httpx.Response(200)

        async with Puller(world, httpx.MockTransport(hang)) as puller:
            puller.start_due()
            await is_hanging.wait()
            world.lifecycle.cancel(one)
            puller.start_due()
            await puller.drain()

    asyncio.run(asyncio.wait_for(scenario(), 30))
    assert one.received.size_bytes == 0


def test_uploads_are_not_downloaded(world: World) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing was to be asked for")

    download(world, refuse)


def ok(content: bytes) -> httpx.Response:
    return httpx.Response(200, content=_pieces(content))


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 2**20):
        yield content[start : start + 2**20]


async def _cut(content: bytes) -> AsyncIterator[bytes]:
    yield content[:5]
    raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
