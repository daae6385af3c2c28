"""A client's body, piece by piece, as a server hands it to the application."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.types import Message


class BodySender:
    """Sends the pieces of a body, then ends it, falls silent, or goes away.

    :param then: ``end``, ``wait`` or ``leave``
    :param pause_s: before each piece
    """

    def __init__(
        self,
        pieces: Sequence[bytes],
        headers: Mapping[str, str] | None = None,
        *,
        then: str = "end",
        pause_s: float = 0.0,
    ) -> None:
        self._messages: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
        ]
        if then == "end":
            self._messages.append({"type": "http.request", "body": b"", "more_body": False})
        elif then == "leave":
            self._messages.append({"type": "http.disconnect"})
        self._pause_s = pause_s
        self.taken = 0
        raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        self.request = Request({"type": "http", "headers": raw}, self._receive)

    async def _receive(self) -> Message:
        if self.taken == len(self._messages):
            await asyncio.Event().wait()
        await asyncio.sleep(self._pause_s)
        self.taken += 1
        return self._messages[self.taken - 1]


def pieces_of(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]
