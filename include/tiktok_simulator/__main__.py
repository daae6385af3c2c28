"""``python -m tiktok_simulator``: serve both ports until SIGTERM or SIGINT."""

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
from tiktok_simulator.clock import Clock
from tiktok_simulator.options import Options, parse_options
from tiktok_simulator.pull import pull_media
from tiktok_simulator.state import World
from tiktok_simulator.webhook_sender import send_webhooks
from tiktok_simulator.webhooks import WebhookSettings

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
    options = parse_options(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    for chatty in ("uvicorn.error", "httpx"):  # httpx would log the callback's query
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with _listen(options.port) as api, _listen(options.upload_port) as upload:
        api_url, upload_url = (f"http://{HOST}:{one.getsockname()[1]}" for one in (api, upload))
        with tempfile.TemporaryDirectory(prefix="tiktok-simulator-") as directory:
            world = _make_world(options, upload_url, Path(directory))
            _serve(world, api, upload, {"api": api_url, "upload": upload_url})


def _make_world(options: Options, upload_url: str, directory: Path) -> World:
    accounts, clock = make_accounts(options.seed, count=options.accounts), Clock()
    if options.token_lifetime_s is not None:
        for account in accounts:
            account.access_expires_at = clock.now() + options.token_lifetime_s
    return World(
        accounts=accounts,
        upload_url=upload_url,
        directory=None if options.discard else directory,
        app=options.app,
        switches=options.switches,
        connect_to=options.connect_to,
        webhook_settings=WebhookSettings(url=options.webhook_url),
        clock=clock,
    )


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
    server = Server(config, {**urls, **_ready_facts(world, urls["api"])})

    def stop() -> None:
        world.faults.release()
        server.should_exit = True

    async def serve() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        background = [asyncio.create_task(run(world)) for run in (send_webhooks, pull_media)]
        for task in background:
            task.add_done_callback(lambda _: stop())  # one that fails ends the simulator
        await server.serve([api, upload])
        for task in background:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(serve())


def _ready_facts(world: World, api_url: str) -> dict[str, Any]:
    return {
        "control": f"{api_url}/_sim",
        "client_key": world.app.client_key,
        "client_secret": world.app.client_secret,
        "accounts": [
            {
                "open_id": one.open_id,
                "username": one.username,
                "access_token": one.access_token,
                "refresh_token": one.refresh_token,
            }
            for one in world.accounts
        ],
    }


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        sys.exit(f"Port {port} cannot be opened ({error.strerror}): free it or choose another.")


if __name__ == "__main__":
    main()
