"""A fenced-in process in which a library reads one hostile file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from types import TracebackType
from typing import Final, Protocol, Self

from reelflow.sandbox.fork_server import ForkServerLostError, fork_server
from reelflow.sandbox.interpreter import start_interpreter
from reelflow.sandbox.program import Program

_ENTRY: Final = "reelflow.sandbox.inside.main"


class _Process(Protocol):
    @property
    def pid(self) -> int: ...

    def wait_code(self, timeout_s: float) -> int: ...

    def kill(self) -> None: ...


class _StartedProcess:
    """A process that was started for this one file."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_code(self, timeout_s: float) -> int:
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return 0

    def kill(self) -> None:
        if self._process.returncode is None:  # not reaped: its number is still its group's
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Child:
    """A running child and the socket to it. Leaving the context kills it, whatever it does.

    It has nothing of our environment, no descriptor but the socket, and its own session, and sets
    its own limits before it sees a byte of the file (`reelflow.sandbox.inside.main`). A process
    that has a server which has loaded the library, its own or one of whom it was forked from, lets
    that fork its children.

    :raises LibraryMissingError: the packages that it needs are not installed
    :raises MediaToolError: no process could be started
    """

    def __init__(self, program: Program) -> None:
        self.socket, theirs = socket.socketpair()
        theirs.setblocking(True)  # also where somebody set a timeout for all new sockets
        with theirs:
            try:
                self._process = _start(program, theirs)
            except BaseException:
                self.socket.close()
                raise

    @property
    def pid(self) -> int:
        """The process id, which is its group's too."""
        return self._process.pid

    def wait_code(self, timeout_s: float) -> int:
        """Give the exit code of a child that hung up; negative when a signal ended it.

        One that does not end in time is killed, which is told as 0.
        """
        return self._process.wait_code(timeout_s)

    def kill(self) -> None:
        """End it and all that it may have started."""
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()
        self.kill()


def _start(program: Program, theirs: socket.socket) -> _Process:
    server = fork_server(program)
    if server is not None:
        try:
            return server.fork(theirs)
        except ForkServerLostError:
            pass  # a process of its own will do, or say what is wrong
    return _StartedProcess(start_interpreter(_ENTRY, program, theirs))
