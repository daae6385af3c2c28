"""Large bodies on their way to a writer: the next pieces are read while the last are written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from anyio import CancelScope
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from reelflow.api.content_length import declared_bytes
from reelflow.api.errors import ApiError
from reelflow.api.limits import lift_body_limit
from reelflow.api.socket_body import socket_body

#: What a thread writes at once, of one body: the more it is, the less often two threads wait for
#: each other. While a thread writes, as much again is read.
BLOCK_MIN_BYTES: Final = 256 * 1024
BLOCK_MAX_BYTES: Final = 2 * 1024 * 1024
#: Of all bodies under way together, so that many of them need no more memory than a few.
BLOCKS_MAX_BYTES: Final = 8 * 1024 * 1024
#: What was not read of a body would be taken for the next request.
_CLOSE: Final = {"Connection": "close"}

T = TypeVar("T")


@dataclass(frozen=True)
class Pace:
    """How slow a body may come before its sender is taken for gone.

    The largest chunk comes in half an hour at the least average, before its session is over.

    :param idle_s: longest wait for any byte
    :param grace_s: the average counts from here on
    :param bytes_per_s: least average
    """

    idle_s: float = 30.0
    grace_s: float = 30.0
    bytes_per_s: int = 32 * 1024


PACE: Final = Pace()


def declared_length(request: Request, *, max_bytes: int) -> int:
    """Return how long a raw body says it is.

    :raises ApiError: 411 ``length_required``; 413 ``body_too_large``; 415
        ``unsupported_media_type`` when it is encoded, which no writer takes back
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        message = "send the body as it is, without Content-Encoding"
        raise ApiError(415, "unsupported_media_type", message, headers=_CLOSE)
    size_bytes = declared_bytes(request.scope)
    if size_bytes is None:
        message = "send the body with a Content-Length, by which a cut one is told from a whole"
        raise ApiError(411, "length_required", message, headers=_CLOSE)
    if size_bytes > max_bytes:
        raise _too_large(max_bytes)
    return size_bytes


async def body_blocks(
    request: Request, *, max_bytes: int, pace: Pace = PACE
) -> AsyncIterator[bytes]:
    """Give a body in blocks as they come from the connection, none of them empty.

    :raises ApiError: 413 ``body_too_large`` before more than ``max_bytes`` is given, at once when
        the request declares it; 408 ``body_too_slow``; 400 ``body_cut`` when the sender went away
    """
    lift_body_limit(request)
    if (declared_bytes(request.scope) or 0) > max_bytes:
        raise _too_large(max_bytes)
    read_bytes = 0
    async for block in in_pace(_pieces(request), pace, size_of=len):
        read_bytes += len(block)
        if read_bytes > max_bytes:
            raise _too_large(max_bytes)
        if block:
            yield block


async def in_pace(
    pieces: AsyncIterator[T], pace: Pace, *, size_of: Callable[[T], int]
) -> AsyncIterator[T]:
    """Give the pieces of a body on, while they come fast enough.

    :param size_of: tells how many bytes a piece stands for
    :raises ApiError: 408 ``body_too_slow``; 400 ``body_cut`` when the sender went away
    """
    clock = asyncio.get_running_loop().time
    began_s = clock()
    read_bytes = 0
    while True:
        allowed_s = began_s + pace.grace_s + read_bytes / pace.bytes_per_s
        try:
            async with asyncio.timeout_at(min(clock() + pace.idle_s, allowed_s)):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            message = f"the body came too slowly: after {read_bytes} bytes it was given up"
            raise ApiError(408, "body_too_slow", message, headers=_CLOSE) from None
        except (ClientDisconnect, EOFError):
            message = f"the body ended after {read_bytes} bytes, before its end: send it again"
            raise ApiError(400, "body_cut", message, headers=_CLOSE) from None
        read_bytes += size_of(piece)
        yield piece


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """Give a body as its server does: the first piece, and where it can all others at once."""
    stream = request.stream()
    first = await anext(stream, b"")
    yield first
    unread_bytes = (declared_bytes(request.scope) or 0) - len(first)
    body = socket_body(request.scope, unread_bytes=unread_bytes)
    if body is None:
        async for block in stream:
            yield block
        return
    while block := await body.read():
        yield block


async def write_blocks(blocks: AsyncIterator[bytes], write: Callable[..., object]) -> int:
    """Write blocks one after the other in threads, while the next ones are read already.

    No write goes on when this returns or raises, whatever ended it.

    :param write: takes some blocks at a time
    :return: how many bytes there were
    """
    writing = _Writing(write)
    held: list[bytes] = []
    held_bytes = size_bytes = 0
    try:
        with _at_once.one():
            async for block in blocks:
                held.append(block)
                held_bytes += len(block)
                size_bytes += len(block)
                if held_bytes >= _at_once.block_bytes:
                    await writing.go_on(held)
                    held, held_bytes = [], 0
            await writing.go_on(held)
    finally:
        with CancelScope(shield=True):
            await writing.rest()
    writing.check()
    return size_bytes


class _AtOnce:
    """Counts the bodies that are being written, all by one event loop."""

    def __init__(self) -> None:
        self._count = 0
        self.block_bytes = BLOCK_MAX_BYTES

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one more within the block."""
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def _add(self, count: int) -> None:
        self._count += count
        share_bytes = BLOCKS_MAX_BYTES // max(1, self._count)
        self.block_bytes = max(BLOCK_MIN_BYTES, min(BLOCK_MAX_BYTES, share_bytes))


_at_once: Final = _AtOnce()


class _Writing:
    """Writes some blocks at a time in a thread."""

    def __init__(self, write: Callable[..., object]) -> None:
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._last: asyncio.Future[object] | None = None

    async def go_on(self, blocks: Sequence[bytes]) -> None:
        """Begin to write blocks, once those before are written.

        :raises Exception: what writing those raised
        """
        await self.rest()
        self.check()
        # Not Starlette's threads: what they do for each call costs as much as the writing.
        self._last = self._loop.run_in_executor(None, self._write, *blocks)

    async def rest(self) -> None:
        """Wait until nothing is being written; to be cancelled leaves the writing alone."""
        if self._last is not None:
            await asyncio.wait({self._last})

    def check(self) -> None:
        """Raise what the last writing did."""
        if self._last is not None:
            self._last.result()


@asynccontextmanager
async def held_in_threads(held: AbstractContextManager[T]) -> AsyncIterator[T]:
    """Enter and leave in a thread what may block doing so; left also when a request is cancelled.

    ::

        async with held_in_threads(service_that_writes(...)) as file:
            await write_blocks(body_blocks(request, max_bytes=...), file.write)
            answer = await run_in_threadpool(file.commit)
    """
    entered = await run_in_threadpool(held.__enter__)
    try:
        yield entered
    except BaseException as error:
        with CancelScope(shield=True):
            await run_in_threadpool(held.__exit__, type(error), error, error.__traceback__)
        raise
    await run_in_threadpool(held.__exit__, None, None, None)


def _too_large(max_bytes: int) -> ApiError:
    message = f"the body has more than the {max_bytes} bytes that are taken here"
    return ApiError(413, "body_too_large", message, headers=_CLOSE)
