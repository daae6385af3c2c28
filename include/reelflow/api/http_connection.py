"""A connection to the server: which waits for a request for so long, and for no more of it."""

from __future__ import annotations

import asyncio
import socket
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from reelflow.api.errors import ErrorResponse
from reelflow.api.headers import SAFE_HEADERS
from reelflow.api.limits import ADDRESS_MAX_BYTES, HEADERS_MAX_BYTES
from reelflow.api.socket_body import EXTENSION, SocketBody

#: What is held of a request's head before it is whole. More than a request may have, so that
#: :class:`~reelflow.api.limits.RequestLimits` says what is too long.
HEAD_MAX_BYTES: Final = ADDRESS_MAX_BYTES + 2 * HEADERS_MAX_BYTES


#: What the system holds of a body whose sender is on this machine. Such a sender fills whatever
#: there is at once, and keeps a processor from others meanwhile; one far away needs more, and the
#: system finds out how much.
_LOCAL_RECEIVE_BYTES: Final = 64 * 1024


class HttpConnection(H11Protocol):
    """Closes itself unless the head of a next request is there in time.

    uvicorn itself waits without end: for a first byte, for the rest of a head, and for the rest of
    a body that was answered already. While a request is being answered, its body's time is up to
    the application.

    A route may take a large body from the socket by itself
    (:mod:`reelflow.api.socket_body`): it comes several times as fast so.

    Of uvicorn's parsers this is the one that does not hold headers without end.
    """

    #: From the beginning, or from the last answer, to the end of the next head.
    head_timeout_s = 30.0
    _timer: asyncio.TimerHandle | None = None
    #: Of the request being answered: the parser sees no more of it.
    _body: SocketBody | None = None
    #: Of a body that was taken, and answered before its end.
    _unread_bytes = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._inner: ASGIApp = self.app
        self.app = self._app_with_socket_body

    async def _app_with_socket_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[EXTENSION] = self._take_body
        await self._inner(scope, receive, send)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        if self.client is not None and ip_address(self.client[0]).is_loopback:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _LOCAL_RECEIVE_BYTES)
        self._wait_or_not()

    def data_received(self, data: bytes) -> None:
        """Stop waiting when a request is there."""
        unread_bytes = min(self._unread_bytes, len(data))
        self._unread_bytes -= unread_bytes
        if unread_bytes == len(data):
            self._unset_keepalive_if_required()
            return
        super().data_received(data[unread_bytes:])
        self._wait_or_not()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it came with the last."""
        self._leave_body()
        super().on_response_complete()
        self._wait_or_not()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._leave_body()
        super().connection_lost(exc)
        self._stop_waiting()

    def _take_body(self, unread_bytes: int) -> SocketBody | None:
        """Let the route have the rest of the body that it reads; None where it cannot.

        Nothing more is read here until the request is answered.
        """
        cycle, connection = self.cycle, self.transport.get_extra_info("socket")
        is_plain = connection is not None and not self.transport.get_extra_info("sslcontext")
        if not is_plain or not cycle.more_body or cycle.disconnected or self.transport.is_closing():
            return None
        self.flow.pause_reading()
        held, cycle.body = bytes(cycle.body), bytearray()
        self._body = SocketBody(connection.fileno(), held, unread_bytes - len(held))
        return self._body

    def _leave_body(self) -> None:
        """Read on here, what was left of a body first."""
        if self._body is not None:
            self._body.close()
            self._unread_bytes = self._body.unread_bytes
            self._body = None
            # The parser still waits for the body's end.
            self.conn = h11.Connection(h11.SERVER, HEAD_MAX_BYTES)

    def _wait_or_not(self) -> None:
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering or self.transport.is_closing():
            self._stop_waiting()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.head_timeout_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self.conn.their_state is h11.IDLE and self._held_bytes():
            text = f"the request's head did not come within {self.head_timeout_s:g} s"
            self._refuse(408, "head_too_slow", text)
        else:  # nobody waits for an answer
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP in the shape of all errors."""
        if self.conn.our_state is h11.IDLE and self._held_bytes() > HEAD_MAX_BYTES:
            text = f"the address and the headers have more than {HEAD_MAX_BYTES} bytes"
            self._refuse(431, "headers_too_large", text)
        else:
            self._refuse(400, "malformed_request", "this is no request in HTTP/1.1")

    def _held_bytes(self) -> int:
        unread, _ = self.conn.trailing_data
        return len(unread)

    def _refuse(self, status: int, reason: str, message: str) -> None:
        """Answer, and close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):  # else an answer is on its way
            headers = {**SAFE_HEADERS, "Connection": "close"}
            answer = ErrorResponse(status, reason, message, headers=headers)
            phrase = HTTPStatus(status).phrase.encode()
            head = h11.Response(status_code=status, headers=answer.raw_headers, reason=phrase)
            for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event))
        self.transport.close()
