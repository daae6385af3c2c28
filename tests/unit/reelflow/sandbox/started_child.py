"""Children of both kinds: with a process started for one file, and forked by a server."""

from __future__ import annotations

import json
import os

import psutil

from reelflow.sandbox import wire
from reelflow.sandbox.child import Child
from reelflow.sandbox.program import Program


def is_forked(child: Child) -> bool:
    return psutil.Process(child.pid).ppid() != os.getpid()


def forked_child(program: Program) -> Child:
    """Start children until one is forked by a server."""
    for _ in range(4):
        child = Child(program)
        if is_forked(child):
            return child
        child.__exit__(None, None, None)
    raise AssertionError("no child is forked")


def wait_ready(child: Child) -> None:
    """Wait for a child to say that its library is loaded."""
    child.socket.settimeout(20)
    kind, length = wire.HEADER.unpack(child.socket.recv(wire.HEADER.size))
    assert kind == wire.ANSWER
    assert json.loads(child.socket.recv(length)).keys() == {"version"}
