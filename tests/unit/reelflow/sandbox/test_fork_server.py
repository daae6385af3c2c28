import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from reelflow.analysis.c2pa_manifest import C2PA
from reelflow.media.decoder import LIBAV
from reelflow.sandbox.child import Child
from reelflow.sandbox.conversation import Conversation
from reelflow.sandbox.fork_server import fork_server
from reelflow.sandbox.program import LibraryMissingError
from reelflow.source import BytesSource
from tests.first_files import unused
from tests.unit.reelflow.sandbox.scripted_child import written_library
from tests.unit.reelflow.sandbox.started_child import forked_child, is_forked, wait_ready

ROOT = Path(__file__).parents[4]

#: Prints its server and its child, then whether a process forked from it gets children of its own.
OWNER = """
import os, sys
import psutil
from reelflow.media.decoder import LIBAV
from tests.unit.reelflow.sandbox.started_child import forked_child, wait_ready

def parent_of(child):
    wait_ready(child)
    return psutil.Process(child.pid).ppid()

first = forked_child(LIBAV)
print(parent_of(first), first.pid, flush=True)
if os.fork() == 0:
    with forked_child(LIBAV) as other:
        print(parent_of(other), flush=True)
    os._exit(0)
os.wait()
with forked_child(LIBAV) as again:
    print(parent_of(again), flush=True)
sys.stdin.read()
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


def test_what_a_signal_interrupts_is_no_answer_to_another_order(
    forked: Child,
) -> None:
    class StoppedError(BaseException):
        """As of a task that is stopped."""

    def interrupt(*_: object) -> None:
        raise StoppedError

    server = fork_server(LIBAV)
    assert server is not None
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        os.kill(server.pid, signal.SIGSTOP)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(StoppedError):
            Child(LIBAV)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert server.is_lost
    with Child(LIBAV) as child:
        wait_ready(child)


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


def test_children_end_with_the_process_that_wanted_them_and_are_not_its_forks_to_use() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'include'}"},
    )
    try:
        assert owner.stdin is not None
        assert owner.stdout is not None
        server, child = (psutil.Process(int(pid)) for pid in owner.stdout.readline().split())
        of_its_fork, again = (int(owner.stdout.readline()) for _ in range(2))
        assert of_its_fork != server.pid == again
        child.suspend()  # as one that computes, and does not see its socket closed
    finally:
        owner.kill()
        owner.communicate()
    gone, alive = psutil.wait_procs([server, child], timeout=20)
    assert not alive, f"still there: {alive}; gone: {json.dumps([one.pid for one in gone])}"
