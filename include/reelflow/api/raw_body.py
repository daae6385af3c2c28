"""A body that is one chunk of a file and nothing else: written by the threads that receive it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from starlette.requests import Request

from reelflow.api.chunk_body import PACE, Pace, body_blocks, in_pace, write_blocks
from reelflow.api.limits import lift_body_limit
from reelflow.api.socket_body import in_thread, offers_socket_body, socket_body


async def write_raw_body(
    request: Request, write: Callable[..., object], *, size_bytes: int, pace: Pace = PACE
) -> None:
    """Write a body of a known length; no write goes on when this ends, however that is.

    :param write: takes some blocks at a time, whose memory is used for others then
    :raises ApiError: as :func:`~reelflow.api.chunk_body.body_blocks`
    """
    if not offers_socket_body(request.scope):
        await write_blocks(body_blocks(request, max_bytes=size_bytes, pace=pace), write)
        return
    lift_body_limit(request)
    async for _ in in_pace(_written(request, write, size_bytes), pace, size_of=int):
        pass


async def _written(
    request: Request, write: Callable[..., object], size_bytes: int
) -> AsyncIterator[int]:
    """Tell how many bytes were written, again and again."""
    body = None
    async for block in request.stream():
        if block:
            await in_thread(write, block)
            size_bytes -= len(block)
            yield len(block)
        body = socket_body(request.scope, unread_bytes=size_bytes)
        if body is not None:
            break
    while body is not None and (count := await body.write_next(write)):
        yield count
