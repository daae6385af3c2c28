"""What Airflow mounts: the web application, put together when it is first asked for something."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from reelflow.exceptions import ReelflowError
from reelflow_provider.web.pace import Pace

log = logging.getLogger(__name__)

#: Who asks without end must not have Airflow's server open the ledger without end.
_PAUSE_S: Final = 5.0
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class MountedApp:
    """The web application, an ASGI application that costs nothing before its first request.

    Airflow makes it wherever it lists plugins, and before its API server forks: only a process that
    answers requests opens the ledger. What keeps it from being put together is answered with 503,
    and tried again a while later; Airflow's own routes are none the worse for it.

    :param build: puts the application together; run in a thread
    :param pause_s: how long it is not tried again after it failed
    """

    def __init__(self, build: Callable[[], ASGIApp], *, pause_s: float = _PAUSE_S) -> None:
        self._build = build
        self._pause_s = pause_s
        self._pace = Pace()
        self._app: ASGIApp | None = None
        self._one_at_a_time = asyncio.Lock()
        self._failure = ""
        self._try_again_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why that cannot be."""
        if scope["type"] != "http":
            await WebSocketClose()(scope, receive, send)
            return
        app = self._app or await self._built()
        if app is None:
            await self._refusal()(scope, receive, send)
            return
        await app(scope, self._pace.slowed(receive), send)

    async def _built(self) -> ASGIApp | None:
        async with self._one_at_a_time:
            if self._app is None and time.monotonic() >= self._try_again_at:
                try:
                    self._app = await asyncio.to_thread(self._build)
                except ReelflowError as error:
                    self._fail(error.code)
                    log.error("Reelflow's web application cannot be used: %s", error)
                except Exception:
                    self._fail("internal")
                    log.exception("Reelflow's web application cannot be used")
            return self._app

    def _fail(self, code: str) -> None:
        self._failure = code
        self._try_again_at = time.monotonic() + self._pause_s

    def _refusal(self) -> JSONResponse:
        """Say no more than the error's code: the error may name hosts and paths."""
        message = (
            f"Reelflow is not set up in this API server ({self._failure}): its log says what to do,"
            " and so does `reelflow doctor`, run there"
        )
        headers = {**_HEADERS, "Connection": "close", "Retry-After": f"{self._pause_s:.0f}"}
        body = {"reason": "not_set_up", "message": message, "details": {}}
        return JSONResponse(body, 503, headers)
