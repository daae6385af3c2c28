"""A connection to the server: which waits for a request for so long, and for no more of it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from reelflow.api.errors import ErrorResponse
from reelflow.api.headers import SAFE_HEADERS
from reelflow.api.limits import ADDRESS_MAX_BYTES, HEADERS_MAX_BYTES

#: What is held of a request's head before it is whole. More than a request may have, so that
#: :class:`~reelflow.api.limits.RequestLimits` says what is too long.
HEAD_MAX_BYTES: Final = ADDRESS_MAX_BYTES + 2 * HEADERS_MAX_BYTES


class HttpConnection(H11Protocol):
    """Closes itself unless the head of a next request is there in time.

    uvicorn itself waits without end: for a first byte, for the rest of a head, and for the rest of
    a body that was answered already. While a request is being answered, its body's time is up to
    the application.

    Of uvicorn's parsers this is the one that does not hold headers without end.
    """

    #: From the beginning, or from the last answer, to the end of the next head.
    head_timeout_s = 30.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait_or_not()

    def data_received(self, data: bytes) -> None:
        """Stop waiting when a request is there."""
        super().data_received(data)
        self._wait_or_not()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it came with the last."""
        super().on_response_complete()
        self._wait_or_not()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        self._stop_waiting()

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
