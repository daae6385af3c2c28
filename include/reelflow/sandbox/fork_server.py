"""A process that has loaded a library, and forks from itself the child for each file.

Loading libav takes five times the computing of reading a video's facts and making its cover. The
server never sees a file: it gets sockets through its control socket, and gives them to its
children. The control socket is one end of a pair: processes that are forked from the one that
started the server have it, too, and share nothing else. The server ends when nobody has its control
socket any more.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import threading
from collections import Counter
from typing import Final
from weakref import WeakSet

from reelflow.exceptions import MediaToolError
from reelflow.sandbox import wire
from reelflow.sandbox.interpreter import start_interpreter
from reelflow.sandbox.program import Program

_ENTRY: Final = "reelflow.sandbox.inside.fork_server"
#: Who has none and reads one file, once or twice, would pay for its memory and save nothing.
_OWN_PROCESSES: Final = 2
_ANSWER_S: Final = 30.0
_END_S: Final = 2.0


class ForkServerLostError(Exception):
    """The server ended, does not answer, or can fork no more."""


class ForkedProcess:
    """A process that a server forked.

    :param child_control: socket on which the server is told to end it; closing it ends it at once
    """

    def __init__(self, pid: int, child_control: socket.socket) -> None:
        self.pid = pid
        self._child_control = child_control
        self._code: int | None = None

    def wait_code(self, timeout_s: float) -> int:
        """Give its exit code; it is killed if it does not end in time, which is told as 0."""
        if self._code is None:
            with self._child_control:
                try:
                    self._child_control.settimeout(timeout_s + _ANSWER_S)
                    self._child_control.sendall(wire.END.pack(timeout_s))
                    self._code = _outcome(self._child_control)
                except (OSError, ForkServerLostError):
                    # It ends with its socket, or by its limit of computing. What became of it is
                    # the machine's fault, not the file's.
                    self._code = -signal.SIGKILL
        return self._code

    def kill(self) -> None:
        """End it and all that it may have started."""
        self.wait_code(0)


class ForkServer:
    """One running server, for any thread of this process, and of those that are forked from it.

    :raises LibraryMissingError: the packages that it needs are not installed
    :raises MediaToolError: no process could be started
    """

    def __init__(self, program: Program) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = start_interpreter(_ENTRY, program, theirs)
            except BaseException:
                self._control.close()
                raise
        self._control.settimeout(_ANSWER_S)
        self.is_lost = False

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def fork(self, theirs: socket.socket) -> ForkedProcess:
        """Fork a child with this socket as its standard input.

        :raises ForkServerLostError: it cannot
        """
        child_control, far = socket.socketpair()
        _child_controls.update((child_control, far))
        child_control.settimeout(_ANSWER_S)
        try:
            try:
                with far, self._lock:
                    socket.send_fds(self._control, [wire.FORK], [theirs.fileno(), far.fileno()])
                pid = _outcome(child_control)
            except (OSError, ForkServerLostError) as error:
                self.stop()
                raise ForkServerLostError from error
            if pid == wire.NO_CHILD:
                raise ForkServerLostError
        except BaseException:
            child_control.close()
            raise
        return ForkedProcess(pid, child_control)

    def stop(self) -> None:
        """Leave its control; who alone has it also sees it end, with its children, or kills it."""
        with self._lock:
            self.is_lost = True
            self._control.close()
        if _has_forked and self._process.poll() is None:
            self.disown()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def disown(self) -> None:
        """Let nobody wait for its end, nor kill it: others may need it."""
        self._lock = threading.Lock()  # in a forked process, one of a thread that is not there
        self._process.returncode = 0


def _outcome(child_control: socket.socket) -> int:
    answer = child_control.recv(wire.OUTCOME.size)
    if len(answer) != wire.OUTCOME.size:
        raise ForkServerLostError
    number: int = wire.OUTCOME.unpack(answer)[0]
    return number


_servers: dict[Program, ForkServer] = {}
_started: Counter[Program] = Counter()
_child_controls: WeakSet[socket.socket] = WeakSet()
_choosing = threading.Lock()
_has_forked = False


def fork_server(program: Program) -> ForkServer | None:
    """Give the server for a program that this process has, or gets with its third file.

    None before, for a library with threads, which no fork survives, and where none can be started.
    """
    if program.limits.has_threads:
        return None
    with _choosing:
        server = _servers.get(program)
        if server is not None and not server.is_lost:
            return server
        _started[program] += 1
        if _started[program] <= _OWN_PROCESSES:
            return None
        try:
            server = _servers[program] = ForkServer(program)
        except MediaToolError:
            return None
        return server


def start_fork_server(program: Program) -> None:
    """Start a server that this process, and all that are forked from it, have from now on.

    :raises LibraryMissingError: the packages that it needs are not installed
    :raises MediaToolError: no process could be started
    """
    with _choosing:
        if program not in _servers:
            _servers[program] = ForkServer(program)


def _note_fork() -> None:
    global _has_forked
    _has_forked = True


def _after_fork() -> None:
    """Share the servers of the process that this one was forked from, but none of its children."""
    global _choosing, _has_forked
    _choosing = threading.Lock()
    _has_forked = False
    for child_control in _child_controls:
        child_control.close()
    for server in _servers.values():
        server.disown()
    _started.clear()


def _leave_servers() -> None:
    for server in _servers.values():
        server.stop()


os.register_at_fork(after_in_parent=_note_fork, after_in_child=_after_fork)
atexit.register(_leave_servers)
