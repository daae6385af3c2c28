from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from reelflow.api.bodies import read_body
from reelflow.api.errors import ApiError


class Sender:
    """Sends the parts of a body, then falls silent, goes away, or ends it."""

    def __init__(self, parts: list[bytes], *, then: str = "end", declared: str = "") -> None:
        self._messages: list[Message] = [
            {"type": "http.request", "body": part, "more_body": True} for part in parts
        ]
        if then == "end":
            self._messages.append({"type": "http.request", "body": b"", "more_body": False})
        elif then == "leave":
            self._messages.append({"type": "http.disconnect"})
        self.taken = 0
        headers = [(b"content-length", declared.encode())] if declared else []
        self.request = Request({"type": "http", "headers": headers}, self._receive)

    async def _receive(self) -> Message:
        if self.taken == len(self._messages):
            await asyncio.Event().wait()
        self.taken += 1
        return self._messages[self.taken - 1]

    def read(self, *, timeout_s: float = 60) -> bytes:
        return asyncio.run(read_body(self.request, max_bytes=10, timeout_s=timeout_s))


@pytest.mark.parametrize("parts", [[], [b"0123456789"], [b"01234", b"56789"]])
def test_a_body_is_read_as_it_came(parts: list[bytes]) -> None:
    assert Sender(parts).read() == b"".join(parts)


@pytest.mark.parametrize("declared", ["11", "9" * 40])
def test_a_body_that_says_that_it_is_too_large_is_not_read(declared: str) -> None:
    sender = Sender([b"x"], declared=declared)
    with pytest.raises(ApiError) as refused:
        sender.read()
    assert (refused.value.status, refused.value.reason) == (413, "body_too_large")
    assert sender.taken == 0


@pytest.mark.parametrize("declared", ["", "3", "-5", "٣", "ten"])
def test_a_body_that_turns_out_too_large_is_not_read_to_its_end(declared: str) -> None:
    sender = Sender([b"01234", b"56789", b"x", b"more", b"and more"], declared="")
    sender.request.scope["headers"] = [(b"content-length", declared.encode("utf-8"))]
    with pytest.raises(ApiError) as refused:
        sender.read()
    assert refused.value.status == 413
    assert refused.value.headers == {"Connection": "close"}
    assert sender.taken == 3


def test_a_body_that_never_ends_is_given_up() -> None:
    with pytest.raises(ApiError) as refused:
        Sender([b"0123"], then="silence").read(timeout_s=0.01)
    assert (refused.value.status, refused.value.reason) == (408, "body_too_slow")


def test_a_body_whose_sender_goes_away_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        Sender([b"0123"], then="leave").read()
    assert (refused.value.status, refused.value.reason) == (400, "body_cut")
