import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from reelflow.analysis.c2pa_manifest import C2PA
from reelflow.media.decoder import LIBAV
from reelflow.sandbox import fork_server as module
from reelflow.sandbox.child import Child
from reelflow.sandbox.conversation import Conversation
from reelflow.sandbox.fork_server import fork_server, start_fork_server
from reelflow.sandbox.program import LibraryMissingError, Program
from reelflow.source import BytesSource
from tests.first_files import unused
from tests.unit.reelflow.sandbox.scripted_child import written_library
from tests.unit.reelflow.sandbox.started_child import forked_child, is_forked, wait_ready

ROOT = Path(__file__).parents[4]

#: Reads a file itself and lets a process forked from it read one: prints the server of each, and
#: its child. Then it does with itself what its argument says.
OWNER = """
import os, signal, socket, sys
import psutil
from reelflow.media.decoder import LIBAV
from reelflow.sandbox import fork_server as module
from reelflow.sandbox.child import Child
from reelflow.sandbox.fork_server import start_fork_server
from tests.unit.reelflow.sandbox.started_child import wait_ready

def tell_child():
    child = Child(LIBAV)
    wait_ready(child)
    psutil.Process(child.pid).suspend()  # as one that computes, and does not see its socket closed
    print(psutil.Process(child.pid).ppid(), child.pid, os.getpid(), flush=True)
    return child

start_fork_server(LIBAV)
mine = tell_child()
if os.fork() == 0:
    if os.fork() == 0:
        others = tell_child()
        sys.stdin.read()
    os._exit(0)
os.wait()
if sys.argv[1] == "killed":
    signal.pause()
if sys.argv[1] == "refused":
    def refuse(*_):
        raise OSError("no buffer space available")
    socket.send_fds = refuse
    with Child(LIBAV) as own:
        wait_ready(own)
    print("went on", flush=True)
"""


#: Where it is loaded the system has no process left.
NO_MORE_FORKS = """
import os

def fork():
    raise BlockingIOError(11, "Resource temporarily unavailable")

os.fork = fork
VERSION = "1"
FAILURES = ()
Service = object
"""


ENDING = """
from reelflow.media.decoder import LIBAV
from tests.unit.reelflow.sandbox.started_child import forked_child

with forked_child(LIBAV):
    pass
"""


@pytest.fixture
def forked() -> Iterator[Child]:
    with forked_child(LIBAV) as child:
        wait_ready(child)
        yield child


def test_the_first_files_get_processes_of_their_own_and_further_ones_are_forked() -> None:
    program, kinds = unused(LIBAV), []
    for _ in range(4):
        with Child(program) as child:
            kinds.append(is_forked(child))
    assert kinds == [False, False, True, True]
    server = fork_server(program)
    assert server is not None
    server.stop()


def test_who_has_started_a_server_has_it_from_the_first_file_on() -> None:
    program = unused(LIBAV)
    start_fork_server(program)
    started = fork_server(program)
    start_fork_server(program)
    assert started is fork_server(program)
    with Child(program) as child:
        assert is_forked(child)
    assert started is not None
    started.stop()
    with Child(program) as child:
        assert not is_forked(child)


def test_where_a_server_is_inherited_and_lost_files_get_processes_of_their_own() -> None:
    program = unused(LIBAV)
    start_fork_server(program)
    server = fork_server(program)
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)
    assert not gets_forked_child_in_a_fork(program)
    server.stop()


def test_a_process_is_forked_while_other_threads_start_children() -> None:
    program = unused(LIBAV)
    start_fork_server(program)
    server = fork_server(program)
    assert server is not None
    with server._lock, module._choosing:
        assert gets_forked_child_in_a_fork(program)
    server.stop()


def gets_forked_child_in_a_fork(program: Program) -> bool:
    """Say whether the first child of a process that is forked from this one is forked, too."""
    pid = os.fork()
    if pid == 0:  # no way out of here but the last line
        code = 2
        try:
            signal.alarm(20)
            with Child(program) as child:
                wait_ready(child)
                code = int(is_forked(child))
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 1)
    return bool(code)


def test_a_library_that_computes_in_threads_is_never_forked() -> None:
    for _ in range(3):
        with Child(C2PA) as child:
            assert not is_forked(child)


def test_a_crash_of_one_child_is_told_and_harms_no_other(forked: Child) -> None:
    with Child(LIBAV) as other:
        os.kill(other.pid, signal.SIGSEGV)
        assert other.wait_code(20) == -signal.SIGSEGV
    assert psutil.Process(forked.pid).is_running()
    with Child(LIBAV) as another:
        wait_ready(another)
        assert is_forked(another)


def test_one_that_does_not_end_in_time_is_killed(forked: Child) -> None:
    assert forked.wait_code(0.01) == 0
    assert not psutil.pid_exists(forked.pid)


def test_a_server_that_was_killed_costs_no_file_and_is_replaced(forked: Child) -> None:
    lost = psutil.Process(forked.pid).ppid()
    os.kill(lost, signal.SIGKILL)
    with Child(LIBAV) as started:
        wait_ready(started)
        assert not is_forked(started)
    forked.kill()
    with Child(LIBAV) as again:
        wait_ready(again)
        assert is_forked(again)
        assert psutil.Process(again.pid).ppid() != lost


def test_where_the_library_cannot_be_loaded_each_child_says_so_as_without_a_server() -> None:
    program = replace(LIBAV, service="reelflow.no_such_module")
    for _ in range(4):
        with Child(program) as child:
            assert not is_forked(child)
            with pytest.raises(LibraryMissingError, match="no_such_module"):
                Conversation(child, program, BytesSource(b""), budget_bytes=0)


def test_who_had_a_server_ends_without_a_word() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", ENDING],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'include'}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_lost_server_forked_was_killed_for_all_that_is_known(forked: Child) -> None:
    os.kill(psutil.Process(forked.pid).ppid(), signal.SIGKILL)
    assert forked.wait_code(20) == -signal.SIGKILL


def test_what_a_signal_interrupts_costs_no_other_child_its_server(forked: Child) -> None:
    class StoppedError(BaseException):
        """As of a task that is stopped."""

    def interrupt(*_: object) -> None:
        raise StoppedError

    server = psutil.Process(forked.pid).parent()
    assert server is not None
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        server.suspend()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(StoppedError):
            Child(LIBAV)
    finally:
        signal.signal(signal.SIGALRM, before)
        server.resume()
    with Child(LIBAV) as child:
        wait_ready(child)
        assert psutil.Process(child.pid).parent() == server
        wanted = {psutil.Process(pid) for pid in (child.pid, forked.pid)}
        wait_for(lambda: set(server.children()) == wanted)


def test_a_server_that_can_fork_no_more_stays_for_the_children_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = written_library(NO_MORE_FORKS, tmp_path, monkeypatch)
    for _ in range(4):
        with Child(program) as child:
            wait_ready(child)
            assert not is_forked(child)
    server = fork_server(program)
    assert server is not None
    with Child(program) as child:
        wait_ready(child)
    assert fork_server(program) is server
    server.stop()


@pytest.mark.parametrize("end", ["killed", "ended", "refused"])
def test_forked_processes_have_the_server_and_only_their_own_children(end: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'include'}"},
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    try:
        server, mine, _ = (psutil.Process(int(pid)) for pid in owner.stdout.readline().split())
        of_other, others, other = (
            psutil.Process(int(pid)) for pid in owner.stdout.readline().split()
        )
        assert of_other == server
        if end == "killed":
            owner.kill()
        if end == "refused":  # it gives up its server, and the others keep theirs
            assert owner.stdout.readline() == "went on\n"
        owner.wait(20)
        assert_gone(mine)
        assert others.status() == psutil.STATUS_STOPPED
        other.kill()
        assert_gone(others, server)
    finally:
        owner.kill()
        owner.communicate()


def assert_gone(*processes: psutil.Process) -> None:
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive


def wait_for(is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < ends_at
        time.sleep(0.01)
