"""The pace of bodies: all of them together, and nobody waits for nothing."""

from __future__ import annotations

import asyncio
import time

from starlette.types import Message, Receive

from reelflow_provider.web.pace import Pace

KIB = 1024


def body_of(messages: int, size_bytes: int) -> Receive:
    left = [size_bytes] * messages

    async def receive() -> Message:
        return {"type": "http.request", "body": bytes(left.pop()), "more_body": bool(left)}

    return receive


async def read(receive: Receive) -> int:
    read_bytes = 0
    while True:
        message = await receive()
        read_bytes += len(message["body"])
        if not message["more_body"]:
            return read_bytes


def seconds_of(pace: Pace, *bodies: Receive) -> float:
    """Read bodies side by side, and return how long that took."""

    async def read_all() -> None:
        await asyncio.gather(*(read(pace.slowed(body)) for body in bodies))

    began = time.perf_counter()
    asyncio.run(read_all())
    return time.perf_counter() - began


def test_a_body_takes_the_time_that_its_bytes_are_worth() -> None:
    assert seconds_of(Pace(10 * 64 * KIB), body_of(2, 64 * KIB)) >= 0.19


def test_bodies_side_by_side_share_the_pace() -> None:
    pace = Pace(10 * 64 * KIB)
    assert seconds_of(pace, body_of(1, 64 * KIB), body_of(1, 64 * KIB)) >= 0.19


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward."""

    skipped_s = 0.0

    def time(self) -> float:
        return super().time() + self.skipped_s


def test_time_in_which_nothing_came_is_not_saved_up() -> None:
    pace, loop = Pace(10 * 64 * KIB), SkippingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(read(pace.slowed(body_of(1, 1))))
        loop.skipped_s = 3600
        began = time.perf_counter()
        runner.run(read(pace.slowed(body_of(2, 64 * KIB))))
        assert time.perf_counter() - began >= 0.19


def test_a_small_body_waits_for_nothing() -> None:
    waited = []

    async def read_watched() -> None:
        receive = Pace(64 * 1024 * KIB).slowed(body_of(1, 100))
        task = asyncio.ensure_future(read(receive))
        await asyncio.sleep(0)
        waited.append(not task.done())
        await task

    asyncio.run(read_watched())
    assert waited == [False]


def test_what_ends_a_request_passes() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    assert asyncio.run(Pace().slowed(receive)()) == {"type": "http.disconnect"}
