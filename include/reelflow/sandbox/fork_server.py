"""A process that has loaded a library, and forks from itself the child for each file.

Loading libav takes five times the computing of reading a video's facts and making its cover. The
server never sees a file: it gets orders from its parent, and sockets to give to its children.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Final

from reelflow.exceptions import MediaToolError
from reelflow.sandbox import wire
from reelflow.sandbox.interpreter import start_interpreter
from reelflow.sandbox.program import Program

_ENTRY: Final = "reelflow.sandbox.inside.fork_server"
#: A task reads one file, once or twice: a server would cost it memory and save it nothing.
_OWN_PROCESSES: Final = 2
_ANSWER_S: Final = 30.0
_END_S: Final = 2.0


class ForkServerLostError(Exception):
    """The server ended, does not answer, or can fork no more."""


class ForkedProcess:
    """A process that a server forked."""

    def __init__(self, pid: int, server: ForkServer) -> None:
        self.pid = pid
        self._server = server
        self._code: int | None = None

    def wait_code(self, timeout_s: float) -> int:
        """Give its exit code; it is killed if it does not end in time, which is told as 0."""
        if self._code is None:
            try:
                self._code = self._server.end(self.pid, timeout_s)
            except ForkServerLostError:
                # It ends with its socket, or at the latest by its limits. What became of it is the
                # machine's fault, not the file's.
                self._code = -signal.SIGKILL
        return self._code

    def kill(self) -> None:
        """End it and all that it may have started."""
        self.wait_code(0)


class ForkServer:
    """One running server, which ends with this process; for any of its threads.

    :raises LibraryMissingError: the packages that it needs are not installed
    :raises MediaToolError: no process could be started
    """

    def __init__(self, program: Program) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = start_interpreter(_ENTRY, program, theirs)
            except BaseException:
                self._socket.close()
                raise
        self._socket.settimeout(_ANSWER_S)
        self.is_lost = False

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def fork(self, theirs: socket.socket) -> ForkedProcess:
        """Fork a child with this socket as its standard input.

        :raises ForkServerLostError: it cannot
        """
        pid = self._ask(wire.ORDER.pack(wire.FORK, 0, 0), [theirs.fileno()])
        if pid == wire.NO_CHILD:
            raise ForkServerLostError
        return ForkedProcess(pid, self)

    def end(self, pid: int, timeout_s: float) -> int:
        """Wait for a child, kill it when the time is over, and give its exit code.

        :raises ForkServerLostError: it cannot
        """
        return self._ask(wire.ORDER.pack(wire.END, pid, timeout_s))

    def stop(self) -> None:
        """End it and its children, which it does itself when its socket is closed."""
        self.is_lost = True
        self._socket.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def leave_to_parent(self) -> None:
        """Forget it in a process that was forked from its owner."""
        self.is_lost = True
        self._socket.close()
        self._process.returncode = 0  # not ours to wait for

    def _ask(self, order: bytes, descriptors: Sequence[int] = ()) -> int:
        with self._lock:
            try:
                socket.send_fds(self._socket, [order], descriptors)
                answer = self._socket.recv(wire.OUTCOME.size)
            except OSError:
                answer = b""
            except BaseException:  # a signal's, which leaves an answer for who asks next
                self.stop()
                raise
            if len(answer) != wire.OUTCOME.size:
                self.stop()
                raise ForkServerLostError
        number: int = wire.OUTCOME.unpack(answer)[0]
        return number


_servers: dict[Program, ForkServer] = {}
_started: Counter[Program] = Counter()
_choosing = threading.Lock()


def fork_server(program: Program) -> ForkServer | None:
    """Give this process's server for a program, from its third file on.

    None before, for a library with threads, which no fork survives, and where none can be started.
    """
    if program.limits.has_threads:
        return None
    with _choosing:
        _started[program] += 1
        if _started[program] <= _OWN_PROCESSES:
            return None
        server = _servers.get(program)
        if server is None or server.is_lost:
            try:
                server = _servers[program] = ForkServer(program)
            except MediaToolError:
                return None
        return server


def _forget_servers() -> None:
    """Leave the servers to the process that this one was forked from."""
    global _choosing
    _choosing = threading.Lock()
    for server in _servers.values():
        server.leave_to_parent()
    _servers.clear()
    _started.clear()


def _stop_servers() -> None:
    for server in _servers.values():
        server.stop()


os.register_at_fork(after_in_child=_forget_servers)
atexit.register(_stop_servers)
