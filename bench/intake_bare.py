"""A bare Starlette route that reads a body and forgets it, served by uvicorn as it comes."""

from __future__ import annotations

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from reelflow.api.server import listen


async def discard(request: Request) -> JSONResponse:
    """Read all of it."""
    size_bytes = 0
    async for piece in request.stream():
        size_bytes += len(piece)
    return JSONResponse({"size_bytes": size_bytes})


def main() -> None:
    """Print the port, then serve until a signal."""
    app = Starlette(routes=[Route("/{path:path}", discard, methods=["PUT", "POST"])])
    with listen("127.0.0.1", 0) as listener:
        print(listener.getsockname()[1], flush=True)  # who connects before it accepts, waits
        config = uvicorn.Config(app, log_level="warning", access_log=False)
        uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
