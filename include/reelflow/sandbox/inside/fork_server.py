"""The fork server's life: it loads the library, then forks and ends children as it is told."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from importlib import import_module
from typing import Any, Final

from reelflow.sandbox import wire
from reelflow.sandbox.inside.main import Arguments, limit_computing, serve

_ORDERS_FD: Final = 0
_CHECKED_EVERY_S: Final = 0.005


def main() -> None:
    """Obey the parent on standard input; with it, end all children."""
    arguments = Arguments.read()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    service = import_module(arguments.module)
    children: set[int] = set()
    with socket.socket(fileno=_ORDERS_FD) as orders:
        while True:
            order, descriptors, _, _ = socket.recv_fds(orders, wire.ORDER.size, 1)
            if len(order) != wire.ORDER.size:
                break
            kind, pid, timeout_s = wire.ORDER.unpack(order)
            if kind == wire.FORK:
                outcome = _fork(service, arguments, descriptors[0])
                children.add(outcome)
            else:
                outcome = _end(pid, timeout_s)
                children.discard(pid)
            orders.sendall(wire.OUTCOME.pack(outcome))
    for pid in children:
        _kill(pid)


def _fork(service: Any, arguments: Arguments, descriptor: int) -> int:
    """Fork the child that serves a socket; return its process id."""
    pid = os.fork()
    if pid:
        os.close(descriptor)
        return pid
    code = 1
    try:
        os.setsid()
        os.dup2(descriptor, _ORDERS_FD)  # where the orders came from
        limit_computing(arguments)
        serve(service, arguments)
        code = 0
    finally:
        os._exit(code)


def _end(pid: int, timeout_s: float) -> int:
    """Wait for a child; one that does not end in time is killed, which is told as 0."""
    ends_at = time.monotonic() + timeout_s
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= ends_at:
            _kill(pid)
            os.waitpid(pid, 0)
            return 0
        time.sleep(_CHECKED_EVERY_S)


def _kill(pid: int) -> None:
    """Kill a child that was not waited for: its number is still its own, and its group's."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has no group of its own yet
        os.kill(pid, signal.SIGKILL)
