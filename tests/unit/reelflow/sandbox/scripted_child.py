"""A child that says what a test wants it to, as one that the file has taken over would."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reelflow.sandbox import wire
from reelflow.sandbox.child import Child
from reelflow.sandbox.conversation import Conversation
from reelflow.sandbox.program import Limits, Program
from reelflow.source import BytesSource, Source

READY = wire.frame(wire.ANSWER, b'{"version": "8"}')
BUDGET_BYTES = 100


class ScriptedChild(Child):
    """No process: a socket on which somebody speaks, and an exit code."""

    def __init__(self, ours: socket.socket, code: int) -> None:
        self.socket = ours
        self._code = code

    def wait_code(self, timeout_s: float) -> int:
        return self._code


@contextmanager
def conversation(
    said: bytes, *, source: Source | None = None, code: int = 0, hangs: bool = False
) -> Iterator[Conversation]:
    """Hold a conversation with a child that says this, whatever it is asked, and hangs up."""
    limits = Limits(wall_clock_s=0.2 if hangs else 20, cpu_s=1, address_space_bytes=1)
    program = Program("libav", "none", (), limits)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer = threading.Thread(target=_say, args=(theirs, READY + said, hangs))
        writer.start()
        try:
            child = ScriptedChild(ours, code)
            source = source or BytesSource(bytes(1000))
            yield Conversation(child, program, source, budget_bytes=BUDGET_BYTES)
        finally:
            ours.close()
            writer.join()


def _say(theirs: socket.socket, said: bytes, hangs: bool) -> None:
    try:
        theirs.sendall(said)
        if not hangs:
            theirs.shutdown(socket.SHUT_WR)
    except OSError:
        return


def answer(content: Any) -> bytes:
    return wire.frame(wire.ANSWER, json.dumps(content).encode())


def wanted(offset: int, count: int) -> bytes:
    return wire.frame(wire.RANGE_WANTED, wire.RANGE.pack(offset, count))
