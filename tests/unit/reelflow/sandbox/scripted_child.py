"""A child that says what a test wants it to, as one that the file has taken over would."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reelflow.media.decoder import LIBAV
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
    said: bytes,
    *,
    source: Source | None = None,
    code: int = 0,
    hangs: bool = False,
    drips: bool = False,
) -> Iterator[Conversation]:
    """Hold a conversation with a child that says this, whatever it is asked, and hangs up.

    :param hangs: it does not hang up, and says nothing more
    :param drips: it says a byte now and then
    """
    limits = Limits(wall_clock_s=0.2 if hangs or drips else 20, cpu_s=1, address_space_bytes=1)
    program = Program("libav", "none", (), limits)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer = threading.Thread(target=_say, args=(theirs, READY + said, hangs, drips))
        writer.start()
        try:
            child = ScriptedChild(ours, code)
            source = source or BytesSource(bytes(1000))
            yield Conversation(child, program, source, budget_bytes=BUDGET_BYTES)
        finally:
            ours.close()
            writer.join()


def _say(theirs: socket.socket, said: bytes, hangs: bool, drips: bool) -> None:
    try:
        theirs.sendall(said)
        for _ in range(200 if drips else 0):
            time.sleep(0.05)
            theirs.sendall(b" ")
        if not hangs:
            theirs.shutdown(socket.SHUT_WR)
    except OSError:
        return


def written_library(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Write a library into a folder; what it does, it does when a real child loads it."""
    (folder / "written_library.py").write_text(code)
    package = folder / "written_library_folder"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "written_library_folder", raising=False)
    return replace(LIBAV, service="written_library", packages=("written_library_folder",))


def answer(content: Any) -> bytes:
    return wire.frame(wire.ANSWER, json.dumps(content).encode())


def wanted(offset: int, count: int) -> bytes:
    return wire.frame(wire.RANGE_WANTED, wire.RANGE.pack(offset, count))
