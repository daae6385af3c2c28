"""Connections of a real server: how long it waits, and what it says to what is no request."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Coroutine
from typing import Any

import pytest

from reelflow.api.headers import SAFE_HEADERS
from reelflow.api.http_connection import HEAD_MAX_BYTES, HttpConnection
from reelflow.api.limits import ADDRESS_MAX_BYTES, HEADERS_MAX_BYTES, RequestLimits
from tests.unit.reelflow.api.http_talk import HEAD, HastyConnection, answer_all, talk


async def drip(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """Send a piece now and then, until nobody takes it any more."""
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(HastyConnection.head_timeout_s / 10)


async def read_while(reader: asyncio.StreamReader, dripping: Coroutine[Any, Any, None]) -> bytes:
    """Return all that is read until the server closes."""
    task = asyncio.create_task(dripping)
    read = bytearray()
    try:
        while piece := await reader.read(65_536):
            read += piece
    except ConnectionError:
        pass
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return bytes(read)


def error_of(answer: bytes) -> tuple[int, str]:
    """Return status and slug of an error, which must be in the one shape."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert headers["connection"] == "close"
    assert {name.lower() for name in SAFE_HEADERS} <= set(headers)
    told = json.loads(body)
    assert set(told) == {"reason", "message", "details"}
    return int(lines[0].split(" ")[1]), told["reason"]


def test_a_client_who_says_nothing_is_left() -> None:
    async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""

    talk(say_nothing)


@pytest.mark.parametrize("before", [b"", HEAD + b"\r\n"])
def test_a_head_that_trickles_is_given_up(before: bytes) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if before:
            writer.write(before)
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200 ")
        writer.write(HEAD)
        answer = await read_while(reader, drip(writer, b"X: y\r\n"))
        assert error_of(answer) == (408, "head_too_slow")

    talk(trickle)


def test_a_body_that_trickles_on_after_its_answer_is_given_up() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 1000000\r\n\r\n")
        answer = await read_while(reader, drip(writer, b"x"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"done")

    talk(trickle)


def test_an_answer_may_take_its_time_and_the_next_request_comes_by_the_same_connection() -> None:
    async def ask_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(HEAD.replace(b"/", b"/later", 1) + b"\r\n")
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200 ")

    talk(ask_twice)


def test_requests_that_come_together_are_all_answered() -> None:
    async def ask_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((HEAD.replace(b"/", b"/later", 1) + b"\r\n") * 2)
        for _ in range(2):
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200 ")
        assert await reader.read() == b""

    talk(ask_at_once)


def test_the_longest_head_that_is_taken_may_come_in_pieces() -> None:
    line = b"X-Long: " + b"y" * 1000 + b"\r\n"
    head = b"GET /" + b"a" * (ADDRESS_MAX_BYTES - 1) + b" HTTP/1.1\r\nHost: web.test\r\n"

    async def ask_at_length(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for _ in range(HEADERS_MAX_BYTES // len(line) - 1):
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(line)
        writer.write(b"\r\n")
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200 ")

    talk(ask_at_length, app=RequestLimits(answer_all), connection=HttpConnection)


def test_a_head_without_end_is_refused_in_the_shape_of_all_errors() -> None:
    async def ask_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((HEAD + b"X: ").ljust(HEAD_MAX_BYTES + 1, b"y"))
        assert error_of(await reader.read()) == (431, "headers_too_large")

    talk(ask_without_end, connection=HttpConnection)


@pytest.mark.parametrize("sent", [b"\x00\x01\r\n\r\n", b"GET /\r\n\r\n", HEAD + b"A : b\r\n\r\n"])
def test_what_is_no_request_is_refused_in_the_shape_of_all_errors(sent: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        assert error_of(await reader.read()) == (400, "malformed_request")

    talk(say, connection=HttpConnection)


def test_a_body_that_breaks_its_own_framing_is_refused() -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = HEAD.replace(b"GET /", b"POST /body", 1)
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\nno chunk\r\n")
        assert error_of(await reader.read()) == (400, "malformed_request")

    talk(say, connection=HttpConnection)


def test_a_body_that_breaks_its_framing_after_its_answer_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"no chunk\r\n")
        assert await reader.read() == b""

    talk(say, connection=HttpConnection)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_sender_on_this_machine_finds_little_room_at_once() -> None:
    rooms: list[int] = []

    class Measured(HttpConnection):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            connection = transport.get_extra_info("socket")
            rooms.append(connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\n")
        await reader.readuntil(b"done")

    talk(say_nothing, connection=Measured)
    assert rooms == [128 * 1024]  # the system doubles what it is told, see socket(7)
