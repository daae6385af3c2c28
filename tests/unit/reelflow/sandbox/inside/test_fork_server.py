"""The fork server alone, told by a test what those who have its control socket would tell it."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from reelflow.sandbox import wire
from reelflow.sandbox.interpreter import start_interpreter
from reelflow.sandbox.program import Program
from tests.unit.reelflow.sandbox.scripted_child import written_library

DEADLINE_S = 20
LIBRARY = "VERSION, FAILURES, Service = '1', (), object\n"


class Server:
    """A running server and its control socket."""

    def __init__(self, program: Program) -> None:
        self.control, theirs = socket.socketpair()
        with theirs:
            self.process = start_interpreter("reelflow.sandbox.inside.fork_server", program, theirs)

    def fork(self) -> "Forked":
        return Forked(self.control)

    def has_ended(self) -> int:
        return self.process.wait(DEADLINE_S)


class Forked:
    """A child, or what the server said instead."""

    def __init__(self, control: socket.socket) -> None:
        self.socket, theirs = socket.socketpair()
        self.control, far = socket.socketpair()
        for one in (self.socket, self.control):
            one.settimeout(DEADLINE_S)
        with theirs, far:
            socket.send_fds(control, [wire.FORK], [theirs.fileno(), far.fileno()])
        self.told = self.control.recv(100)

    @property
    def pid(self) -> int:
        pid: int = wire.OUTCOME.unpack(self.told)[0]
        return pid

    def wait_ready(self) -> None:
        assert self.socket.recv(1) == wire.ANSWER

    def want_end(self, timeout_s: float) -> None:
        self.control.sendall(wire.END.pack(timeout_s))

    def code(self) -> int:
        code: int = wire.OUTCOME.unpack(self.control.recv(100))[0]
        return code

    def has_ended(self) -> bool:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(self.pid).wait(DEADLINE_S)
        return not psutil.pid_exists(self.pid)

    def close(self) -> None:
        self.socket.close()
        self.control.close()


@contextmanager
def running(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Hold a server that has loaded this library."""
    server = Server(written_library(code, folder, monkeypatch))
    try:
        yield server
    finally:
        server.control.close()
        server.process.kill()
        server.process.wait()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with running(LIBRARY, tmp_path, monkeypatch) as started:
        yield started


def test_a_child_holds_nothing_of_a_server_that_holds_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"{LIBRARY}import os\nkept = [os.open('/dev/null', 0) for _ in range(100)]\n"
    with running(code, tmp_path, monkeypatch) as server:
        others = [server.fork() for _ in range(3)]
        child = server.fork()
        child.wait_ready()
        opened = Path(f"/proc/{child.pid}/fd").iterdir()
        assert {link.name for link in opened} == {"0", "1", "2"}
        assert len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())) > 100
        for one in (child, *others):
            one.close()


def test_who_takes_long_to_end_holds_up_no_other(server: Server) -> None:
    slow = server.fork()
    os.kill(slow.pid, signal.SIGSTOP)
    slow.want_end(600)
    for _ in range(2):  # the first may have come in with it
        other = server.fork()
        other.want_end(0)
        assert other.code() == 0
    os.kill(slow.pid, signal.SIGSEGV)
    os.kill(slow.pid, signal.SIGCONT)
    assert slow.code() == -signal.SIGSEGV


def test_one_that_does_not_end_in_time_is_killed(server: Server) -> None:
    child = server.fork()
    child.want_end(0.01)
    assert child.code() == 0
    assert not psutil.pid_exists(child.pid)


@pytest.mark.parametrize("said", [b"", b"what?"])
def test_a_child_that_nobody_wants_any_more_is_killed_and_no_other(
    said: bytes, server: Server
) -> None:
    child, other = server.fork(), server.fork()
    os.kill(child.pid, signal.SIGSTOP)  # as one that computes, and does not see its socket closed
    child.control.sendall(said)
    if not said:
        child.control.close()
    assert child.has_ended()
    other.want_end(0)
    assert other.code() == 0


def test_who_hangs_up_while_a_child_ends_is_not_waited_for(server: Server) -> None:
    child = server.fork()
    os.kill(child.pid, signal.SIGSTOP)
    child.want_end(600)
    child.control.close()
    assert child.has_ended()


def test_it_stays_for_its_children_and_ends_when_nobody_has_its_control_socket(
    server: Server,
) -> None:
    children = [server.fork() for _ in range(2)]
    another_control = server.control.dup()
    server.control.close()
    with another_control:
        children.append(Forked(another_control))
    for child in children:
        child.want_end(0)
        assert child.code() == 0
    assert server.has_ended() == 0


def test_where_it_has_no_room_for_more_sockets_it_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"{LIBRARY}import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))\n"
    with running(code, tmp_path, monkeypatch) as server:
        one, two = server.fork(), server.fork()
        for _ in range(3):
            refused = server.fork()
            assert refused.told == b""
            refused.close()
        two.want_end(0)
        assert two.code() == 0
        again = server.fork()
        assert again.pid != one.pid
        for child in (one, two, again):
            child.close()
