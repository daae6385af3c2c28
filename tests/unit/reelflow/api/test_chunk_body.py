from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import anyio
import pytest

from reelflow.api.chunk_body import (
    BLOCK_MAX_BYTES,
    BLOCK_MIN_BYTES,
    BLOCKS_MAX_BYTES,
    Pace,
    body_blocks,
    declared_length,
    held_in_threads,
    write_blocks,
)
from reelflow.api.errors import ApiError
from tests.unit.reelflow.api.body_sender import BodySender, pieces_of

MIB = 1024 * 1024
FIRST = b"1" * BLOCK_MAX_BYTES
BODY = bytes(range(256)) * (10 * 1024)  # 2.5 MiB


def read(sender: BodySender, *, max_bytes: int = 64 * MIB, pace: Pace | None = None) -> list[bytes]:
    async def take() -> list[bytes]:
        blocks = body_blocks(sender.request, max_bytes=max_bytes, pace=pace or Pace())
        return [block async for block in blocks]

    return asyncio.run(take())


def refused(sender: BodySender, **options: object) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read(sender, **options)  # type: ignore[arg-type]
    return caught.value


def test_a_body_is_given_whole_as_it_comes() -> None:
    pieces = [b"", *pieces_of(BODY, 65536), b""]
    assert read(BodySender(pieces)) == pieces[1:-1]


def test_an_empty_body_has_no_block() -> None:
    assert read(BodySender([])) == []


def test_a_body_that_goes_away_is_cut() -> None:
    error = refused(BodySender([b"12345"], then="leave"))
    assert (error.status, error.reason) == (400, "body_cut")
    assert error.headers == {"Connection": "close"}


def test_a_body_that_falls_silent_is_given_up() -> None:
    error = refused(BodySender([b"12345"], then="wait"), pace=Pace(idle_s=0.05))
    assert (error.status, error.reason) == (408, "body_too_slow")


def test_a_body_that_trickles_is_given_up_though_it_never_falls_silent() -> None:
    pace = Pace(idle_s=60, grace_s=0.1, bytes_per_s=1000)
    error = refused(BodySender([b"1"] * 1000, pause_s=0.01), pace=pace)
    assert error.reason == "body_too_slow"


def test_a_body_as_fast_as_it_must_be_may_take_its_time() -> None:
    pace = Pace(idle_s=60, grace_s=0.5, bytes_per_s=1)
    assert len(read(BodySender([b"12345678"] * 20, pause_s=0.03), pace=pace)) == 20


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    sender = BodySender([b"12345"], {"Content-Length": "11"})
    error = refused(sender, max_bytes=10)
    assert (error.status, error.reason, sender.taken) == (413, "body_too_large", 0)


def test_a_body_that_turns_out_too_large_is_not_read_to_its_end() -> None:
    sender = BodySender([b"12345", b"67890", b"x", b"more"])
    assert refused(sender, max_bytes=10).reason == "body_too_large"
    assert sender.taken == 3


@pytest.mark.parametrize("text", ["", "-1", "ten", "٣", "1_0"])
def test_a_length_must_be_told(text: str) -> None:
    sender = BodySender([], {"Content-Length": text} if text else {})
    with pytest.raises(ApiError) as caught:
        declared_length(sender.request, max_bytes=10)
    assert (caught.value.status, caught.value.reason) == (411, "length_required")


def test_a_length_that_is_told_is_believed_up_to_what_is_taken() -> None:
    assert declared_length(BodySender([], {"Content-Length": "10"}).request, max_bytes=10) == 10
    with pytest.raises(ApiError) as caught:
        declared_length(BodySender([], {"Content-Length": "9" * 40}).request, max_bytes=10)
    assert caught.value.status == 413


def test_an_encoded_body_is_refused() -> None:
    headers = {"Content-Length": "10", "Content-Encoding": "gzip"}
    with pytest.raises(ApiError) as caught:
        declared_length(BodySender([], headers).request, max_bytes=10)
    assert (caught.value.status, caught.value.reason) == (415, "unsupported_media_type")


async def blocks_of(*blocks: bytes) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


def test_blocks_are_written_in_order_and_counted() -> None:
    written: list[bytes] = []
    blocks = [FIRST, b"1", b"23", FIRST, b"4"]

    def write(*together: bytes) -> None:
        written.extend(together)

    size_bytes = 2 * BLOCK_MAX_BYTES + 4
    assert asyncio.run(write_blocks(blocks_of(*blocks), write)) == size_bytes
    assert written == blocks


def test_the_next_blocks_are_read_while_one_is_written() -> None:
    read_on = threading.Event()

    async def blocks() -> AsyncIterator[bytes]:
        yield FIRST
        yield b"second"
        read_on.set()
        yield b"third"

    def write(*together: bytes) -> None:
        assert together[0] != FIRST or read_on.wait(10)

    asyncio.run(write_blocks(blocks(), write))


def test_small_blocks_are_written_together() -> None:
    counts: list[int] = []
    small = [bytes(BLOCK_MAX_BYTES // 64)] * 150
    asyncio.run(write_blocks(blocks_of(*small), lambda *together: counts.append(len(together))))
    assert counts == [64, 64, 22]


def test_the_more_bodies_there_are_the_less_is_written_of_each_at_once() -> None:
    written_bytes: list[int] = []

    async def blocks(group: asyncio.Barrier) -> AsyncIterator[bytes]:
        await group.wait()  # so that all are under way
        for _ in range(BLOCK_MAX_BYTES // BLOCK_MIN_BYTES):
            yield bytes(BLOCK_MIN_BYTES)

    async def write_many(count: int) -> int:
        written_bytes.clear()
        group = asyncio.Barrier(count)
        await asyncio.gather(
            *(
                write_blocks(blocks(group), lambda *all_: written_bytes.append(sum(map(len, all_))))
                for _ in range(count)
            )
        )
        return max(written_bytes)

    assert asyncio.run(write_many(1)) == BLOCK_MAX_BYTES
    assert asyncio.run(write_many(BLOCKS_MAX_BYTES // BLOCK_MIN_BYTES)) == BLOCK_MIN_BYTES
    assert asyncio.run(write_many(1)) == BLOCK_MAX_BYTES


def test_no_more_is_held_than_is_written_at_once() -> None:
    may_write = threading.Event()
    given: list[bytes] = []
    all_held = asyncio.Event()

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(20):
            given.append(bytes(BLOCK_MAX_BYTES // 4))
            if len(given) == 8:
                all_held.set()
            yield given[-1]

    async def write_in_time() -> None:
        async with asyncio.timeout(10):
            writing = asyncio.create_task(write_blocks(blocks(), lambda *_: may_write.wait(10)))
            await all_held.wait()
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(given) == 8
            may_write.set()
            await writing

    asyncio.run(write_in_time())


def test_what_a_write_raises_is_raised_and_ends_the_reading() -> None:
    given: list[bytes] = []

    async def blocks() -> AsyncIterator[bytes]:
        for number in range(10):
            given.append(bytes(BLOCK_MAX_BYTES + number))
            yield given[-1]

    def write(*together: bytes) -> None:
        raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        asyncio.run(write_blocks(blocks(), write))
    assert len(given) <= 2


def test_no_write_goes_on_when_the_body_was_cut() -> None:
    under_way = threading.Event()
    ended: list[bytes] = []

    async def blocks() -> AsyncIterator[bytes]:
        yield FIRST
        await asyncio.to_thread(under_way.wait, 10)
        raise ConnectionError

    def write(*together: bytes) -> None:
        under_way.set()
        threading.Event().wait(0.1)
        ended.extend(together)

    with pytest.raises(ConnectionError):
        asyncio.run(write_blocks(blocks(), write))
    assert ended == [FIRST]


def test_no_write_goes_on_when_the_request_is_cancelled() -> None:
    under_way = threading.Event()
    ended: list[bytes] = []

    async def blocks() -> AsyncIterator[bytes]:
        yield FIRST
        await asyncio.Event().wait()

    def write(*together: bytes) -> None:
        under_way.set()
        threading.Event().wait(0.1)
        ended.extend(together)

    async def cancelled() -> list[bytes]:
        async with anyio.create_task_group() as group:
            group.start_soon(write_blocks, blocks(), write)
            await asyncio.to_thread(under_way.wait, 10)
            group.cancel_scope.cancel()
        return list(ended)

    assert asyncio.run(cancelled()) == [FIRST]


class Held:
    """Notes how it is entered and left, and in which threads."""

    def __init__(self) -> None:
        self.left: BaseException | str | None = None
        self.threads: list[int] = []
        self.entered = threading.Event()

    @contextmanager
    def hold(self) -> Iterator[str]:
        self.threads.append(threading.get_ident())
        self.entered.set()
        try:
            yield "held"
        except BaseException as error:
            self.left = error
            raise
        else:
            self.left = "well"
        finally:
            self.threads.append(threading.get_ident())


def test_what_may_block_is_entered_and_left_in_threads() -> None:
    held = Held()

    async def use() -> str:
        async with held_in_threads(held.hold()) as value:
            return value

    assert asyncio.run(use()) == "held"
    assert held.left == "well"
    assert threading.get_ident() not in held.threads


def test_what_goes_wrong_inside_is_told_to_what_is_held() -> None:
    held = Held()

    async def use() -> None:
        async with held_in_threads(held.hold()):
            raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(use())
    assert isinstance(held.left, ConnectionError)


def test_what_is_held_is_left_also_when_the_request_is_cancelled() -> None:
    held = Held()

    async def use() -> None:
        async with held_in_threads(held.hold()):
            await asyncio.Event().wait()

    async def cancelled() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(use)
            await asyncio.to_thread(held.entered.wait, 10)
            group.cancel_scope.cancel()

    asyncio.run(cancelled())
    assert isinstance(held.left, asyncio.CancelledError)
