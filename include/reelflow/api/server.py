"""Serving the web application with uvicorn, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from reelflow.api.http_connection import HEAD_MAX_BYTES, HttpConnection
from reelflow.exceptions import ConfigurationError

#: What is being sent at the end may take this long.
_STOP_TIMEOUT_S: Final = 20
_BACKLOG: Final = 128


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that the server will accept on; its port is taken from now on.

    :param port: 0 for a free one
    :raises ConfigurationError: the address cannot be used
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError, OverflowError) as error:
        raise ConfigurationError(
            f"nothing can be served at {host}, port {port} ({error}): choose another with --host "
            "and --port, or stop what listens there",
            code="serve_address",
        ) from error


def serve_app(
    app: ASGIApp,
    listener: socket.socket,
    *,
    trusted_proxies: str,
    on_ready: Callable[[], None],
) -> None:
    """Serve until a signal; what is being answered then is still answered.

    No request is logged as such: addresses here carry signatures and OAuth codes.

    :param trusted_proxies: addresses and networks, separated by commas, whose X-Forwarded-For is
        believed; empty for none
    """
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        http=HttpConnection,
        h11_max_incomplete_event_size=HEAD_MAX_BYTES,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        timeout_graceful_shutdown=_STOP_TIMEOUT_S,
    )
    _Server(config, on_ready).run([listener])


class _Server(uvicorn.Server):
    """Says when it accepts, and leaves exit code 0 after a signal."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept, then say so."""
        await super().startup(sockets)
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at a signal; uvicorn's own would end the process by that signal again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
