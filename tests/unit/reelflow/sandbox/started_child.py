"""Children of both kinds: with a process started for one file, and forked by a server."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace

import psutil

from reelflow.sandbox import wire
from reelflow.sandbox.child import Child
from reelflow.sandbox.program import Program

_numbers = itertools.count(16 * 1024)


def unused(program: Program) -> Program:
    """Give the same program as one that this process never ran: its first children are started."""
    return replace(program, max_answer_bytes=next(_numbers))


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
