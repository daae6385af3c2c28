"""Starts programs in sessions of their own, and ends them with everything they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from demo.exceptions import StackError

#: psutil derives a start time from the boot time, which may be read a little differently later.
START_TIME_TOLERANCE_S = 2.0
TAIL_LINES = 25


@dataclass(frozen=True)
class ProcessId:
    """One process of this machine, told apart from a later one with the same pid.

    :param name: what it is, for messages
    :param pid: its pid, which is its session's id too
    :param started_at: Unix time in seconds at which it was started
    """

    name: str
    pid: int
    started_at: float

    def find(self) -> psutil.Process | None:
        """Return the running process, or ``None`` if it ended and its pid is free or another's."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) <= START_TIME_TOLERANCE_S
            return process if same and _is_running(process) else None
        except psutil.NoSuchProcess:
            return None

    def pid_was_reused(self) -> bool:
        """Say whether the pid belongs to another process by now."""
        try:
            started_at = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return False
        return bool(abs(started_at - self.started_at) > START_TIME_TOLERANCE_S)


@dataclass(frozen=True)
class Component:
    """A program that runs until it is stopped, with its output in one file."""

    identity: ProcessId
    popen: subprocess.Popen[bytes]
    log_path: Path

    @property
    def name(self) -> str:
        """What it is, for messages."""
        return self.identity.name

    def check_alive(self) -> None:
        """Raise if the program ended.

        :raises StackError: with its exit code and the end of its log
        """
        code = self.popen.poll()
        if code is not None:
            raise StackError(
                f"{self.name} died with exit code {code}; the end of {self.log_path}:\n"
                f"{tail(self.log_path.read_text(errors='replace'))}"
            )


def start_component(
    name: str,
    argv: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    folder: Path,
    log_path: Path,
) -> Component:
    """Start a program in a session of its own, so that the whole of it can be ended later.

    :param folder: its working folder
    :param log_path: file that takes its output, appended
    """
    with log_path.open("ab") as log:
        popen = subprocess.Popen(
            [str(part) for part in argv],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        started_at = psutil.Process(popen.pid).create_time()
    except psutil.NoSuchProcess:  # reaped by no one yet, so only a broken /proc gets here
        started_at = time.time()
    return Component(ProcessId(name, popen.pid, started_at), popen, log_path)


def tail(text: str) -> str:
    """Return the last lines of what a program said, indented."""
    return "\n".join(f"  {line}" for line in text.splitlines()[-TAIL_LINES:]) or "  (nothing)"


def end_processes(identities: Iterable[ProcessId], *, grace_s: float = 15.0) -> list[str]:
    """End programs and all that they started: SIGTERM, then SIGKILL for what is left.

    A task of Airflow has a process group of its own, and ffmpeg a session of its own, so whoever
    descends from a program or shares its session is looked up before the first signal is sent.

    :param grace_s: seconds between the two signals
    :return: names of the programs that had to be killed
    """
    leaders = list(identities)
    members = _members(leaders)
    for leader in leaders:
        _signal_group(leader)
    _, left = psutil.wait_procs(list(members.values()), timeout=grace_s)
    left = list({process.pid: process for process in [*left, *_members(leaders).values()]}.values())
    killed = [leader.name for leader in leaders if leader.pid in {p.pid for p in left}]
    for process in left:
        _kill(process)
    psutil.wait_procs(left, timeout=grace_s)
    return killed


def cpu_seconds(identities: Iterable[ProcessId]) -> float:
    """Return the CPU time that programs have used with all their children, ended ones included."""
    total_s = 0.0
    for process in _members(list(identities)).values():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total_s += times.user + times.system + times.children_user + times.children_system
    return total_s


def _members(leaders: Sequence[ProcessId]) -> dict[int, psutil.Process]:
    """Find the living processes that belong to these programs, by pid."""
    sessions = {leader.pid for leader in leaders if not leader.pid_was_reused()}
    members = {}
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) not in sessions:
                continue
            found = [process, *process.children(recursive=True)]
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue
        members.update({one.pid: one for one in found if _is_running(one)})
    return members


def _is_running(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal_group(leader: ProcessId) -> None:
    if leader.find() is None:
        return
    try:
        os.killpg(leader.pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def exit_on_signals() -> None:
    """Leave through ``finally`` blocks also on SIGTERM and SIGHUP, so that what runs is stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda caught, _: sys.exit(128 + caught))


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Do not let Ctrl-C or a polite request to end interrupt what must be finished."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
