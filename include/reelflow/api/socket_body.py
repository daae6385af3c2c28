"""The rest of a large body, received from its socket by threads: past uvicorn and its parser."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Final, TypeVar

from anyio import CancelScope
from starlette.types import Scope

#: An extension of an ASGI scope: a function that is told how much a route has not read of its
#: request's body, and returns a :class:`SocketBody`, or None where there can be none.
EXTENSION: Final = "reelflow.socket_body"
_BLOCK_BYTES: Final = 512 * 1024
#: Who has sent some of a block just now will send more in a moment.
_MOMENT_MS: Final = 1
#: How long a thread stays with one body while others wait for it.
_TURN_S: Final = 0.02
_blocks: Final = threading.local()

T = TypeVar("T")


def offers_socket_body(scope: Scope) -> bool:
    """Whether there can be one, by the server."""
    return EXTENSION in scope.get("extensions", {})


def socket_body(scope: Scope, *, unread_bytes: int) -> SocketBody | None:
    """Return what a route has not read yet of the body of its request, to be read elsewhere.

    :param unread_bytes: how much that is, by the body's declared length
    """
    if unread_bytes <= 0 or not offers_socket_body(scope):
        return None
    body: SocketBody | None = scope["extensions"][EXTENSION](unread_bytes)
    return body


class SocketBody:
    """What is left of a body, until its request is answered.

    In ASGI's messages it would come in small pieces, each copied four times by the one thread that
    does everything else.

    :param fd: its connection, from which nobody else reads meanwhile
    :param held: what was read of it already
    :param unread_bytes: how much of it is still to come from there
    """

    def __init__(self, fd: int, held: bytes, unread_bytes: int) -> None:
        self._socket = socket.socket(fileno=os.dup(fd))
        self._held = held
        self._is_in_use = self._is_closed = False
        self.unread_bytes = unread_bytes

    async def read(self) -> bytes:
        """Return what comes next, in large blocks from who is fast; nothing at the end.

        :raises EOFError: the sender went away
        """
        block, self._held = self._held, b""
        with self._in_use():
            while self.unread_bytes and not block:
                block = await in_thread(lambda: bytes(self._receive()))
                if not block:
                    await _readable(self._socket.fileno())
        return block

    async def write_next(self, write: Callable[..., object]) -> int:
        """Write what comes next, in the thread that receives it, for some time.

        :param write: takes a block, whose memory is used for the next one then
        :return: how many bytes that was; 0 at the end
        :raises EOFError: the sender went away
        """
        if self._held:
            block = await self.read()
            await in_thread(write, block)
            return len(block)
        before = self.unread_bytes
        with self._in_use():
            while self.unread_bytes == before != 0:
                await in_thread(self._take_turn, write)
                if self.unread_bytes == before:
                    await _readable(self._socket.fileno())
        return before - self.unread_bytes

    def close(self) -> None:
        """Leave the rest, which is not read any more once nobody does."""
        self._is_closed = True
        if not self._is_in_use:
            self._socket.close()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """Keep the socket open, whose number would be another file's once it is closed."""
        self._is_in_use = True
        try:
            yield
        finally:
            self._is_in_use = False
            if self._is_closed:
                self._socket.close()

    def _take_turn(self, write: Callable[..., object]) -> None:
        """Write what is there, and what comes meanwhile."""
        until_s = time.monotonic() + _TURN_S
        while self.unread_bytes and time.monotonic() < until_s:
            wanted = min(self.unread_bytes, _BLOCK_BYTES)
            received = self._receive()
            if received:
                write(received)
            if len(received) < wanted:
                break

    def _receive(self) -> memoryview:
        """Return a block, or as much of it as there is, in the memory of this thread."""
        block = _block_of_thread()[: self.unread_bytes]
        count = 0
        while count < len(block):
            try:
                received = self._socket.recv_into(block[count:])
            except BlockingIOError:
                if count and self._has_more_in_a_moment():
                    continue
                break
            except OSError:  # reset, as good as gone
                received = 0
            if received == 0:
                raise EOFError
            count += received
            self.unread_bytes -= received
        return block[:count]

    def _has_more_in_a_moment(self) -> bool:
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        return bool(poll.poll(_MOMENT_MS))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)), "socket-body")


def _block_of_thread() -> memoryview:
    """Return memory that is the thread's, the same for every body."""
    if not hasattr(_blocks, "block"):
        _blocks.block = memoryview(bytearray(_BLOCK_BYTES))
    block: memoryview = _blocks.block
    return block


async def in_thread(function: Callable[..., T], *args: object) -> T:
    """Call a function in a thread for bodies; it has ended when this does, however that is."""
    loop = asyncio.get_running_loop()
    called = loop.run_in_executor(_threads(), function, *args)
    try:
        return await asyncio.shield(called)
    except asyncio.CancelledError:
        with CancelScope(shield=True):
            await asyncio.wait({called})
        raise


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    is_there = asyncio.Event()
    loop.add_reader(fd, is_there.set)
    try:
        await is_there.wait()
    finally:
        loop.remove_reader(fd)
