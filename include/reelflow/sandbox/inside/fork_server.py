"""The fork server's life: it loads the library, then forks and ends children as it is told.

Many processes may hold its control socket at once: whoever was forked from the one that started
it. Each child comes with a socket that one of them holds; the child ends when that is closed, the
server when its control socket and all children are gone.
"""

from __future__ import annotations

import math
import os
import resource
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Final

from reelflow.sandbox import wire
from reelflow.sandbox.inside.main import STANDARD_FDS, Arguments, limit_computing, serve

_CONTROL_FD: Final = 0


def main() -> None:
    """Serve all who have the other end of standard input, until nobody has it."""
    arguments = Arguments.read()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    service = import_module(arguments.module)
    with socket.socket(fileno=_CONTROL_FD) as control:
        ForkServer(control, partial(_live, service, arguments)).run()


def _live(service: Any, arguments: Arguments) -> None:
    """Live a child's life."""
    limit_computing(arguments)
    serve(service, arguments)


@dataclass(eq=False)
class _Child:
    """A forked process.

    :param control: socket to the process that wanted it
    :param ends_at: moment of `time.monotonic` at which it is killed
    """

    pid: int
    control: socket.socket
    ends_at: float = math.inf


class ForkServer:
    """Forks a child for each message at the control socket, and ends each as its socket says.

    :param live: what a child does, with its socket as standard input
    """

    def __init__(self, control: socket.socket, live: Callable[[], None]) -> None:
        self._control = control
        self._live = live
        self._is_open = True
        self._children: set[_Child] = set()
        # It has no descriptor of its own, as one that children share would be.
        self._selector = selectors.PollSelector()
        self._woken, self._waker = socket.socketpair()

    def run(self) -> None:
        """Serve until the control socket and all children are gone."""
        self._wake_at_ends()
        self._selector.register(self._control, selectors.EVENT_READ, self._take_request)
        try:
            while self._is_open or self._children:
                for key, _ in self._selector.select(self._patience_s()):
                    key.data()
                for child in [one for one in self._children if one.ends_at < math.inf]:
                    self._end_if_due(child)
        finally:
            for child in self._children:
                _kill(child.pid)

    def _wake_at_ends(self) -> None:
        """Let the end of a child end the wait for messages."""
        for one in (self._woken, self._waker):
            one.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._woken, selectors.EVENT_READ, partial(self._woken.recv, 1024))

    def _patience_s(self) -> float | None:
        """Give how long to wait for messages; None is for ever."""
        next_end = min((child.ends_at for child in self._children), default=math.inf)
        return max(0.0, next_end - time.monotonic()) if next_end < math.inf else None

    def _take_request(self) -> None:
        """Fork the child that somebody wants."""
        said, descriptors, _, _ = socket.recv_fds(self._control, len(wire.FORK), 2)
        if not said:
            self._selector.unregister(self._control)
            self._is_open = False
        elif len(descriptors) == 2:
            self._fork(descriptors[0], socket.socket(fileno=descriptors[1]))
        else:  # there was no room for more, which the other side sees by its closed socket
            for descriptor in descriptors:
                os.close(descriptor)

    def _fork(self, descriptor: int, child_control: socket.socket) -> None:
        """Fork the child that serves a socket, and tell its process id."""
        try:
            pid = os.fork()
        except OSError:
            pid = wire.NO_CHILD
        if pid == 0:
            self._become_child(descriptor, child_control)
        os.close(descriptor)
        _tell(child_control, pid)
        if pid == wire.NO_CHILD:
            child_control.close()
            return
        child = _Child(pid, child_control)
        self._children.add(child)
        self._selector.register(child_control, selectors.EVENT_READ, partial(self._hear, child))

    def _become_child(self, descriptor: int, child_control: socket.socket) -> None:
        """Keep nothing of the server, its control and other children's sockets least of all."""
        code = 1
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(descriptor, _CONTROL_FD)
            watched = [key.fd for key in self._selector.get_map().values()]
            last = max(descriptor, child_control.fileno(), self._waker.fileno(), *watched)
            os.closerange(STANDARD_FDS, last + 1)
            self._live()
            code = 0
        finally:
            os._exit(code)

    def _hear(self, child: _Child) -> None:
        """Note that a child has to end: in time, or at once when nobody wants it any more."""
        try:
            order = child.control.recv(wire.END.size)
        except ConnectionError:
            order = b""
        timeout_s = wire.END.unpack(order)[0] if len(order) == wire.END.size else 0
        child.ends_at = time.monotonic() + timeout_s

    def _end_if_due(self, child: _Child) -> None:
        """Tell the exit code of a child that ended, or kill it when its time is over: told as 0."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        has_ended = os.waitid(os.P_PID, child.pid, options) is not None
        if not has_ended and time.monotonic() < child.ends_at:
            return
        _kill(child.pid)  # with what it may have started
        _, status = os.waitpid(child.pid, 0)
        _tell(child.control, os.waitstatus_to_exitcode(status) if has_ended else 0)
        self._selector.unregister(child.control)
        child.control.close()
        self._children.remove(child)


def _tell(child_control: socket.socket, outcome: int) -> None:
    with suppress(ConnectionError):  # who is gone wants to hear nothing
        child_control.sendall(wire.OUTCOME.pack(outcome))


def _kill(pid: int) -> None:
    """Kill a child that was not waited for: its number is still its own, and its group's."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has no group of its own yet
        os.kill(pid, signal.SIGKILL)
