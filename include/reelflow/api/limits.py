"""Limits of every request: its address, its headers, and a body that is read as a whole."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reelflow.api.content_length import declared_bytes
from reelflow.api.errors import ErrorResponse, LimitError

ADDRESS_MAX_BYTES: Final = 16 * 1024
HEADERS_MAX_BYTES: Final = 32 * 1024
BODY_MAX_BYTES: Final = 1024 * 1024
_BODY_TIMEOUT_S: Final = 30.0
_LIMIT: Final = "reelflow.body_limit"


class RequestLimits:
    """Refuses what is larger than any request needs; an ASGI middleware.

    A body may have 1 MiB and 30 seconds, because most are held in memory and parsed. A route that
    takes a file in piece by piece says so by :func:`lift_body_limit`, and then limits it itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 400, 414 or 431."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = _refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        limit = _BodyLimit(scope, receive)
        scope[_LIMIT] = limit
        await self._app(scope, limit.receive, send)


def lift_body_limit(request: Request) -> None:
    """Let a request's body be as long, and take as long, as its route allows."""
    limit = request.scope.get(_LIMIT)
    if limit is not None:
        limit.is_lifted = True


class _BodyLimit:
    """The body of one request, up to its limits."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.is_lifted = False
        self._declared_bytes = declared_bytes(scope) or 0
        self._receive = receive
        self._read_bytes = 0
        self._deadline = asyncio.get_running_loop().time() + _BODY_TIMEOUT_S
        self._is_read = False

    async def receive(self) -> Message:
        """Return the next piece of the body.

        :raises LimitError: 413 or 408
        """
        if self.is_lifted or self._is_read:
            return await self._receive()
        if self._declared_bytes > BODY_MAX_BYTES:
            raise _too_large()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            text = f"the body did not come within {_BODY_TIMEOUT_S:g} s"
            raise LimitError(408, "body_too_slow", text) from None
        self._read_bytes += len(message.get("body", b""))
        if self._read_bytes > BODY_MAX_BYTES:
            raise _too_large()
        self._is_read = not message.get("more_body", False)
        return message


def _refusal(scope: Scope) -> ErrorResponse | None:
    address_bytes = len(scope.get("raw_path") or scope["path"].encode()) + len(
        scope["query_string"]
    )
    if address_bytes > ADDRESS_MAX_BYTES:
        text = f"the address has more than {ADDRESS_MAX_BYTES} bytes"
        return _closing(414, "address_too_long", text)
    header_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
    if header_bytes > HEADERS_MAX_BYTES:
        return _closing(
            431, "headers_too_large", f"the headers have more than {HEADERS_MAX_BYTES} bytes"
        )
    names = {name for name, _ in scope["headers"]}
    if {b"content-length", b"transfer-encoding"} <= names:
        # Of two servers one may believe the one and the other the other (RFC 9112, 6.3).
        text = "the body has two lengths: send Content-Length or Transfer-Encoding, not both"
        return _closing(400, "ambiguous_length", text)
    return None


def _closing(status: int, reason: str, message: str) -> ErrorResponse:
    # What was not read of a body would be taken for the next request.
    return ErrorResponse(status, reason, message, headers={"Connection": "close"})


def _too_large() -> LimitError:
    return LimitError(413, "body_too_large", f"the body has more than {BODY_MAX_BYTES} bytes")
