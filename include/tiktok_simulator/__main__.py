"""``python -m tiktok_simulator``: serve both ports until SIGTERM or SIGINT."""

import argparse
import asyncio
import contextlib
import json
import logging
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tiktok_simulator.accounts import make_accounts
from tiktok_simulator.answers import ABORT_EXTENSION
from tiktok_simulator.app import create_api_app, create_upload_app
from tiktok_simulator.state import World
from tiktok_simulator.switches import Switches

HOST = "127.0.0.1"
STOP_TIMEOUT_S = 2
KEEP_ALIVE_S = 75


class AbortableProtocol(HttpToolsProtocol):
    """Lets an application cut its connection, through an ASGI extension."""

    def on_message_begin(self) -> None:
        """Add the extension to each request's scope."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT_EXTENSION: {"abort": self.transport.abort}}


class Server(uvicorn.Server):
    """Prints the ready line once both ports accept; signals are the process's own affair."""

    def __init__(self, config: uvicorn.Config, ready: dict[str, Any]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept, then say so."""
        await super().startup(sockets)
        print(json.dumps(self._ready), flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: uvicorn would end the process by the signal, not with 0."""
        yield


def main(arguments: list[str] | None = None) -> None:
    """Run the simulator."""
    options = _parse(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    with _listen(options.port) as api, _listen(options.upload_port) as upload:
        api_url, upload_url = (f"http://{HOST}:{one.getsockname()[1]}" for one in (api, upload))
        with tempfile.TemporaryDirectory(prefix="tiktok-simulator-") as directory:
            world = World(
                accounts=make_accounts(options.seed),
                upload_url=upload_url,
                directory=None if options.discard else Path(directory),
                switches=Switches(
                    processing_polls=options.processing_polls, link_polls=options.link_polls
                ),
            )
            _serve(world, api, upload, {"api": api_url, "upload": upload_url})


def _serve(world: World, api: socket.socket, upload: socket.socket, urls: dict[str, str]) -> None:
    api_app, upload_app = create_api_app(world), create_upload_app(world)
    upload_port = upload.getsockname()[1]

    async def by_port(scope: Scope, receive: Receive, send: Send) -> None:
        app = upload_app if scope["server"][1] == upload_port else api_app
        await app(scope, receive, send)

    config = uvicorn.Config(
        by_port,
        http=AbortableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    accounts = [
        {"open_id": one.open_id, "username": one.username, "access_token": one.access_token}
        for one in world.accounts
    ]
    ready = {**urls, "control": f"{urls['api']}/_sim", "accounts": accounts}
    server = Server(config, ready)

    def stop() -> None:
        world.faults.release()
        server.should_exit = True

    async def serve() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        await server.serve([api, upload])

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(serve())


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        sys.exit(f"Port {port} cannot be opened ({error.strerror}): free it or choose another.")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tiktok_simulator",
        description="A strict stand-in for TikTok's Content Posting API.",
        epilog="Prints one JSON line with its addresses and accounts when it is ready.",
    )
    parser.add_argument("--port", type=_port, default=0, help="API and control; 0: a free one")
    parser.add_argument("--upload-port", type=_port, default=0, help="uploads; 0: a free one")
    parser.add_argument("--seed", type=int, help="same access tokens at each start")
    parser.add_argument(
        "--processing-polls",
        type=_count,
        default=1,
        help="status calls that still see processing after the last byte (default 1)",
    )
    parser.add_argument(
        "--link-polls",
        type=_count,
        default=1,
        help="status calls that see the post published without its id (default 1)",
    )
    parser.add_argument(
        "--discard", action="store_true", help="check and count bytes, neither store nor hash them"
    )
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    return _bounded(text, 65_535)


def _count(text: str) -> int:
    return _bounded(text, 1_000_000)


def _bounded(text: str, most: int) -> int:
    value = int(text)
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(f"must be from 0 to {most}, not {value}")
    return value


if __name__ == "__main__":
    main()
