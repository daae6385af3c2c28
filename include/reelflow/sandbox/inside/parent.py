"""The child's only way out: its parent, on the socket that is its standard input."""

from __future__ import annotations

import json
import os
from typing import Any, Final

from reelflow.sandbox import wire
from reelflow.sandbox.inside.range_file import RangeRefusedError

_SOCKET_FD: Final = 0


class ParentGoneError(Exception):
    """Nobody is left to answer to."""


def next_question() -> dict[str, Any] | None:
    """Wait for the next question; None when there will be no more."""
    try:
        kind, payload = _receive()
    except ParentGoneError:
        return None
    question: dict[str, Any] = json.loads(payload)
    return question if kind == wire.QUESTION else None


def answer(content: dict[str, Any], attachments: list[bytes] | None = None) -> None:
    """Answer a question: a JSON object, then its attachments."""
    _send(wire.frame(wire.ANSWER, json.dumps(content).encode()))
    for attachment in attachments or []:
        _send(wire.frame(wire.ATTACHMENT, attachment))


def ask_range(offset: int, count: int) -> bytes:
    """Ask for bytes of the file.

    :raises RangeRefusedError: the parent gives no more
    """
    # Room for it comes first: who ran out of memory halfway would take the rest for an answer.
    given = bytearray(count)
    _send(wire.frame(wire.RANGE_WANTED, wire.RANGE.pack(offset, count)))
    kind, length = _receive_head()
    if kind != wire.RANGE_GIVEN or length != count:
        raise RangeRefusedError("reading it takes more of the file than allowed")
    _fill(memoryview(given))
    return bytes(given)


def _send(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(_SOCKET_FD, view) :]


def _receive() -> tuple[bytes, bytes]:
    kind, length = _receive_head()
    return kind, _read_exactly(length)


def _receive_head() -> tuple[bytes, int]:
    kind, length = wire.HEADER.unpack(_read_exactly(wire.HEADER.size))
    return kind, length


def _read_exactly(count: int) -> bytes:
    read = bytearray(count)
    _fill(memoryview(read))
    return bytes(read)


def _fill(left: memoryview) -> None:
    while left:
        count = os.readv(_SOCKET_FD, [left])
        if count == 0:
            raise ParentGoneError
        left = left[count:]
