"""A bare Starlette route that reads a body and forgets it, served as ``reelflow serve`` serves."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from reelflow.api.server import listen, serve_app


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
        port = listener.getsockname()[1]
        serve_app(app, listener, trusted_proxies="", on_ready=lambda: print(port, flush=True))


if __name__ == "__main__":
    main()
