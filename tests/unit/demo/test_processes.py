"""Starting programs in sessions of their own, and ending all of them and nothing else."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from demo.exceptions import StackError
from demo.processes import (
    Component,
    ProcessId,
    cpu_seconds,
    end_processes,
    start_component,
    tail,
)
from demo.waiting import wait_until

# Starts one child in the program's own group, one in a group of its own and one in a session of
# its own, as the scheduler, a task and ffmpeg do; writes their pids, then waits.
FAMILY = """
import os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [
    subprocess.Popen(sleep),
    subprocess.Popen(sleep, process_group=0),
    subprocess.Popen(sleep, start_new_session=True),
]
open("pids.new", "w").write(" ".join(str(child.pid) for child in children))
os.rename("pids.new", "pids")
time.sleep(600)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("ready", "w").close()
time.sleep(600)
"""


@contextmanager
def started(code: str, folder: Path) -> Iterator[Component]:
    component = start_component(
        "program",
        [sys.executable, "-c", code],
        environment=os.environ,
        folder=folder,
        log_path=folder / "program.log",
    )
    try:
        yield component
    finally:
        component.popen.kill()
        component.popen.wait()
        if (folder / "pids").exists():
            for pid in running(family_pids(folder)):
                psutil.Process(pid).kill()


def wait_for_file(path: Path) -> None:
    wait_until(path.exists, deadline_s=20, waiting_for=str(path), interval_s=0.02)


def family_pids(folder: Path) -> list[int]:
    wait_for_file(folder / "pids")
    return [int(pid) for pid in (folder / "pids").read_text().split()]


def running(pids: list[int]) -> list[int]:
    return [
        pid
        for pid in pids
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    ]


def test_a_program_ends_with_its_whole_family_also_groups_and_sessions_of_their_own(
    tmp_path: Path,
) -> None:
    with started(FAMILY, tmp_path) as component:
        pids = family_pids(tmp_path)
        assert len(running(pids)) == 3

        end_processes([component.identity], grace_s=1)

        assert running([component.identity.pid, *pids]) == []


def test_children_of_a_program_that_was_killed_are_ended_too(tmp_path: Path) -> None:
    with started(FAMILY, tmp_path) as component:
        in_session = family_pids(tmp_path)[:2]
        component.popen.kill()
        component.popen.wait()

        end_processes([component.identity], grace_s=1)

        assert running(in_session) == []


def test_a_program_that_ignores_sigterm_is_killed_and_named(tmp_path: Path) -> None:
    with started(DEAF, tmp_path) as component:
        wait_for_file(tmp_path / "ready")

        assert end_processes([component.identity], grace_s=0.3) == ["program"]
        assert component.identity.find() is None


def test_a_process_that_got_the_pid_of_an_ended_one_is_left_alone() -> None:
    stranger = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    try:
        began = psutil.Process(stranger.pid).create_time()
        ended_long_ago = ProcessId("scheduler", stranger.pid, began - 3600)

        assert ended_long_ago.find() is None
        assert ended_long_ago.pid_was_reused()
        end_processes([ended_long_ago], grace_s=0.1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_running_process_is_found_by_pid_and_start_time() -> None:
    me = ProcessId("me", os.getpid(), psutil.Process().create_time())

    assert me.find() is not None
    assert not me.pid_was_reused()
    assert replace(me, started_at=me.started_at + 60).find() is None


def test_a_dead_component_is_named_with_its_exit_code_and_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    with started("print('database is locked'); raise SystemExit(3)", tmp_path) as component:
        component.popen.wait()

        with pytest.raises(StackError, match=r"program died with exit code 3") as caught:
            component.check_alive()
        assert "database is locked" in str(caught.value)


def test_a_living_component_passes_the_check(tmp_path: Path) -> None:
    with started("import time; time.sleep(600)", tmp_path) as component:
        component.check_alive()


def test_the_tail_of_a_silent_program_says_so() -> None:
    assert tail("") == "  (nothing)"
    assert tail("\n".join(map(str, range(100)))).splitlines()[0] == "  75"


def test_a_wait_gives_up_at_its_deadline_and_says_for_what() -> None:
    before = time.monotonic()
    with pytest.raises(StackError, match="waited 0 s for the moon"):
        wait_until(lambda: False, deadline_s=0.05, waiting_for="the moon", interval_s=0.01)
    assert time.monotonic() >= before


def test_a_wait_ends_at_once_when_its_check_raises() -> None:
    def check() -> None:
        raise StackError("the scheduler died")

    with pytest.raises(StackError, match="the scheduler died"):
        wait_until(lambda: True, deadline_s=60, waiting_for="nothing", check=check)


def test_the_cpu_time_of_a_program_holds_that_of_children_that_ended(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    code = f"""
import subprocess, sys, time
subprocess.run([sys.executable, "-c", {burn!r}])
open("ready", "w").close()
time.sleep(600)
"""
    with started(code, tmp_path) as component:
        wait_for_file(tmp_path / "ready")

        # The system counts a program's CPU in hundredths, and cuts off what is less.
        assert cpu_seconds([component.identity]) >= 0.25
