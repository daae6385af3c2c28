"""Large bodies that threads take off their socket, of a real server."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from contextlib import suppress

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from reelflow.api.chunk_body import Pace, body_blocks, write_blocks
from reelflow.api.errors import ApiError
from reelflow.api.http_connection import HttpConnection
from reelflow.api.limits import RequestLimits
from reelflow.api.raw_body import write_raw_body
from reelflow.api.socket_body import SocketBody, socket_body
from tests.unit.reelflow.api.http_talk import DEADLINE_S, HEAD, talk

MIB = 1024 * 1024
BODY = random.Random(1).randbytes(9 * MIB + 123)
PUT = HEAD.replace(b"GET", b"PUT", 1) + b"Content-Length: %d\r\n\r\n" % len(BODY)


class Taker:
    """Takes bodies in as a route does, and answers with how that went.

    :param by: ``raw`` or ``blocks``, for the two ways to take one
    :param fail_after_bytes: how much of a body is written before there is no room any more
    """

    def __init__(
        self, by: str = "raw", *, pace: Pace | None = None, fail_after_bytes: int | None = None
    ) -> None:
        self.by = by
        self.written = bytearray()
        self.threads: set[str] = set()
        self._pace = pace or Pace()
        self._fail_after_bytes = fail_after_bytes

    def write(self, *blocks: bytes) -> None:
        for block in blocks:
            self.written += block
        self.threads.add(threading.current_thread().name.partition("_")[0])
        if self._fail_after_bytes is not None and len(self.written) >= self._fail_after_bytes:
            raise OSError("no room is left")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = "taken"
        if scope["method"] == "PUT":
            self.written.clear()
            try:
                await self._take(request)
            except ApiError as error:
                answer = f"refused: {error.reason}"
            except OSError as error:
                answer = f"refused: {error}"
        await PlainTextResponse(f"({answer})")(scope, receive, send)

    async def _take(self, request: Request) -> None:
        size_bytes = int(request.headers["content-length"])
        if self.by == "raw":
            await write_raw_body(request, self.write, size_bytes=size_bytes, pace=self._pace)
        else:
            blocks = body_blocks(request, max_bytes=size_bytes, pace=self._pace)
            await write_blocks(blocks, self.write)


@pytest.fixture(params=["raw", "blocks"])
def by(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def answered(reader: asyncio.StreamReader) -> str:
    head, _, text = (await reader.readuntil(b")")).decode().rpartition("(")
    assert head.startswith("HTTP/1.1 200 OK")
    return text.rstrip(")")


def test_a_large_body_is_taken_whole_and_the_next_by_the_same_connection(by: str) -> None:
    taker = Taker(by)

    async def put_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(PUT + BODY)
            assert await answered(reader) == "taken"
            assert taker.written == BODY

    talk(put_twice, app=RequestLimits(taker))


def test_a_body_sent_as_it_is_taken_is_written_by_the_threads_that_receive_it() -> None:
    taker = Taker()

    async def put(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(PUT + BODY)
        assert await answered(reader) == "taken"

    talk(put, app=taker)
    assert taker.threads == {"socket-body"}


def test_requests_that_come_right_behind_a_body_are_answered(by: str) -> None:
    taker = Taker(by)

    async def put_and_ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(PUT + BODY + HEAD + b"\r\n" + PUT + BODY + HEAD + b"\r\n")
        for _ in range(4):
            assert await answered(reader) == "taken"
        assert taker.written == BODY

    talk(put_and_ask, app=taker)


@pytest.mark.parametrize("size_bytes", [0, 1, 1000, 65_536, 65_537, 600_000, MIB])
def test_a_body_of_any_size_is_taken_however_it_is_cut(by: str, size_bytes: int) -> None:
    taker = Taker(by)
    body = BODY[:size_bytes]

    async def put(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = HEAD.replace(b"GET", b"PUT", 1) + b"Content-Length: %d\r\n\r\n" % size_bytes
        for piece_bytes in (MIB, 65_536, 20_000):
            for start in range(0, len(head + body), piece_bytes):
                writer.write((head + body)[start : start + piece_bytes])
                await writer.drain()
            assert await answered(reader) == "taken"
            assert taker.written == body

    talk(put, app=taker)


def test_who_asks_first_whether_to_send_is_told_to_go_on(by: str) -> None:
    taker = Taker(by)

    async def put(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(PUT.replace(b"Content", b"Expect: 100-continue\r\nContent", 1))
        assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(BODY)
        assert await answered(reader) == "taken"
        assert taker.written == BODY

    talk(put, app=taker)


@pytest.mark.parametrize("fail_after_bytes", [1, MIB])
def test_a_body_that_cannot_be_written_is_answered_and_its_rest_is_no_request(
    by: str, fail_after_bytes: int
) -> None:
    taker = Taker(by, fail_after_bytes=fail_after_bytes)
    trap = HEAD.replace(b"GET", b"PUT", 1) + b"Content-Length: 1\r\n\r\nx"
    body = (trap * (len(BODY) // len(trap) + 1))[: len(BODY)]

    async def put_and_ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(PUT + body + HEAD + b"\r\n")
            await writer.drain()
            assert await answered(reader) == "refused: no room is left"
            assert await answered(reader) == "taken"

    talk(put_and_ask, app=taker)


@pytest.mark.parametrize("sent_bytes", [MIB, len(BODY) - 1])
def test_a_sender_who_goes_away_is_noticed(by: str, sent_bytes: int) -> None:
    taker = Taker(by)

    async def put(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(PUT + BODY[:sent_bytes])
        writer.write_eof()
        assert await answered(reader) == "refused: body_cut"

    talk(put, app=taker)
    assert taker.written == BODY[: len(taker.written)]


def test_a_sender_who_falls_silent_is_given_up(by: str) -> None:
    taker = Taker(by, pace=Pace(idle_s=0.1))

    async def put(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(PUT + BODY[:MIB])
        assert await answered(reader) == "refused: body_too_slow"

    talk(put, app=taker)


def test_a_sender_who_is_too_slow_is_given_up_though_never_silent(by: str) -> None:
    taker = Taker(by, pace=Pace(idle_s=60, grace_s=0.3, bytes_per_s=10 * MIB))

    async def put(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(PUT + BODY[:MIB])
        answer = asyncio.create_task(answered(reader))
        while not answer.done():
            writer.write(b"x" * 1000)
            await writer.drain()
            await asyncio.sleep(0.01)
        assert await answer == "refused: body_too_slow"

    talk(put, app=taker)


def test_a_route_that_is_cancelled_writes_no_more() -> None:
    is_writing, may_go_on = threading.Event(), threading.Event()
    ended: list[str] = []

    def write(*_: bytes) -> None:
        is_writing.set()
        assert may_go_on.wait(30)
        ended.append("write")

    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        task = asyncio.create_task(write_raw_body(request, write, size_bytes=len(BODY)))
        await asyncio.to_thread(is_writing.wait, 30)
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, may_go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        ended.append("route")
        await PlainTextResponse("(taken)")(scope, receive, send)

    async def put(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(PUT + BODY)
        assert await answered(reader) == "taken"

    talk(put, app=cancelled)
    assert ended == ["write", "route"]


def test_a_connection_that_is_lost_meanwhile_is_read_by_nobody_else_under_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One turn takes all, however long the sender and the loop are kept waiting for a processor.
    monkeypatch.setattr("reelflow.api.socket_body._TURN_S", DEADLINE_S)
    monkeypatch.setattr("reelflow.api.socket_body._MOMENT_MS", DEADLINE_S * 1000)
    connections: list[HttpConnection] = []

    class Known(HttpConnection):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            connections.append(self)

    class Losing(Taker):
        def write(self, *blocks: bytes) -> None:
            super().write(*blocks)
            if len(self.written) < MIB:
                return
            (connection,) = connections
            connection.loop.call_soon_threadsafe(connection.transport.abort)
            until_s = time.monotonic() + DEADLINE_S
            while connection in connection.connections and time.monotonic() < until_s:
                time.sleep(0.001)  # until uvicorn knows

    taker = Losing()

    async def put(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(PUT + BODY)
        with suppress(ConnectionError):
            assert await reader.read() == b""  # once nobody has it open any more

    talk(put, app=taker, connection=Known)
    assert taker.written == BODY


def test_who_sends_little_by_little_holds_no_thread(by: str) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    is_over = threading.Event()

    def trickle() -> None:
        while not is_over.wait(0.0003):
            theirs.send(b"x")

    async def take() -> int:
        body = SocketBody(ours.fileno(), b"", MIB)
        async with asyncio.timeout(10):
            taken = [await (body.read() if by == "blocks" else body.write_next(bytes))]
        body.close()
        return len(taken[0]) if isinstance(taken[0], bytes) else taken[0]

    trickling = threading.Thread(target=trickle)
    with ours, theirs:
        trickling.start()
        try:
            assert 0 < asyncio.run(take()) < 1000
        finally:
            is_over.set()
            trickling.join()


@pytest.mark.parametrize(
    "scope", [{"type": "http"}, {"type": "http", "extensions": {"http.response.push": {}}}]
)
def test_other_servers_have_none(scope: Scope) -> None:
    assert socket_body(scope, unread_bytes=1) is None
