"""A client's talk with a real server over TCP, byte by byte, and an application that answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from reelflow.api.http_connection import HEAD_MAX_BYTES, HttpConnection
from reelflow.api.server import listen

DEADLINE_S: Final = 30
HEAD: Final = b"GET / HTTP/1.1\r\nHost: web.test\r\n"
Client: TypeAlias = Callable[
    [asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]
]


class HastyConnection(HttpConnection):
    head_timeout_s = 0.2


async def answer_all(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without a look at the body, except where it is asked for, or some time later."""
    text = "done"
    if scope["path"] == "/later":
        await asyncio.sleep(3 * HastyConnection.head_timeout_s)
    if scope["path"] == "/body":
        text = str(len(await Request(scope, receive).body()))
    await PlainTextResponse(text)(scope, receive, send)


@asynccontextmanager
async def served(app: ASGIApp, connection: type[HttpConnection]) -> AsyncIterator[int]:
    """Serve as `reelflow serve` does; give the port."""
    with listen("127.0.0.1", 0) as listener:
        config = uvicorn.Config(
            app,
            http=connection,
            h11_max_incomplete_event_size=HEAD_MAX_BYTES,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


def talk(
    client: Client, *, app: ASGIApp = answer_all, connection: type[HttpConnection] = HastyConnection
) -> None:
    """Let a client talk to a server."""

    async def connect() -> None:
        async with asyncio.timeout(DEADLINE_S), served(app, connection) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
            try:
                await client(reader, writer)
            finally:
                writer.close()

    with asyncio.Runner(loop_factory=uvicorn.Config(app).get_loop_factory()) as runner:
        runner.run(connect())
