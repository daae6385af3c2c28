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
    """Obey the parent on standard input; end with it, and all children with both."""
    arguments = Arguments.read()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    service = import_module(arguments.module)
    children: set[int] = set()
    with socket.socket(fileno=_ORDERS_FD) as orders:
        try:
            while _obey(orders, service, arguments, children):
                pass
        except ConnectionError:
            pass  # the parent died before it heard what became of its order
        finally:
            for pid in children:
                _kill(pid)


def _obey(orders: socket.socket, service: Any, arguments: Arguments, children: set[int]) -> bool:
    """Carry out the next order and tell its outcome; False when there will be no more."""
    order, descriptors, _, _ = socket.recv_fds(orders, wire.ORDER.size, 1)
    if len(order) != wire.ORDER.size:
        return False
    kind, pid, timeout_s = wire.ORDER.unpack(order)
    if kind == wire.FORK:
        outcome = _fork(service, arguments, descriptors[0])
        if outcome != wire.NO_CHILD:
            children.add(outcome)
    else:
        outcome = _end(pid, timeout_s)
        children.discard(pid)
    orders.sendall(wire.OUTCOME.pack(outcome))
    return True


def _fork(service: Any, arguments: Arguments, descriptor: int) -> int:
    """Fork the child that serves a socket; return its process id."""
    try:
        pid = os.fork()
    except OSError:
        pid = wire.NO_CHILD
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
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if ended or time.monotonic() >= ends_at:
            _kill(pid)  # with what it may have started
            _, status = os.waitpid(pid, 0)
            return os.waitstatus_to_exitcode(status) if ended else 0
        time.sleep(_CHECKED_EVERY_S)


def _kill(pid: int) -> None:
    """Kill a child that was not waited for: its number is still its own, and its group's."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has no group of its own yet
        os.kill(pid, signal.SIGKILL)
