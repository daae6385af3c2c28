import fcntl
import os
import select
import signal
import socket
import sys
from ast import literal_eval
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from reelflow.analysis.c2pa_manifest import C2PA
from reelflow.exceptions import MediaToolError
from reelflow.media.decoder import LIBAV
from reelflow.sandbox.child import Child
from reelflow.sandbox.conversation import open_conversation
from reelflow.sandbox.program import LibraryMissingError, Program
from reelflow.source import BytesSource
from tests.first_files import unused
from tests.unit.reelflow.sandbox.scripted_child import written_library
from tests.unit.reelflow.sandbox.started_child import forked_child, wait_ready


@pytest.fixture(params=["own", "forked"])
def child(request: pytest.FixtureRequest) -> Iterator[Child]:
    """A child that has said that it is ready: started for one file, or forked by a server."""
    program = replace(LIBAV, limits=replace(LIBAV.limits, cpu_s=7))
    start = forked_child if request.param == "forked" else Child
    with start(program if request.param == "forked" else unused(program)) as started:
        wait_ready(started)
        yield started


def test_it_has_no_descriptor_but_its_socket_and_can_get_no_other(child: Child) -> None:
    opened = {link.name: str(link.readlink()) for link in Path(f"/proc/{child.pid}/fd").iterdir()}
    assert opened.pop("0").startswith("socket:")
    assert opened == {"1": "/dev/null", "2": "/dev/null"}
    limits = read_limits(child)
    assert limits["Max open files"] == ["3", "3"]
    assert limits["Max processes"] == ["0", "0"]
    assert limits["Max file size"] == ["0", "0"]


@pytest.mark.parametrize("start", [Child, forked_child])
def test_it_waits_for_questions_also_where_new_sockets_have_a_timeout(
    start: Callable[[Program], Child],
) -> None:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(5)
    try:
        with start(unused(LIBAV)) as started:
            wait_ready(started)
            assert started.wait_code(0.2) == 0  # it had to be killed
    finally:
        socket.setdefaulttimeout(before)


def test_memory_and_computing_time_are_limited(child: Child) -> None:
    limits = read_limits(child)
    assert limits["Max address space"] == [str(408 * 1024**2)] * 2
    assert limits["Max cpu time"] == ["7", "9"]
    assert limits["Max core file size"] == ["0", "0"]


def test_it_sees_neither_environment_nor_folder_of_its_parent(child: Child) -> None:
    environment = Path(f"/proc/{child.pid}/environ").read_bytes()
    assert environment == b"MALLOC_MMAP_THRESHOLD_=1048576\0"
    assert Path(f"/proc/{child.pid}/cwd").readlink() == Path("/")
    assert os.getsid(child.pid) == os.getpgid(child.pid) == child.pid


def read_limits(child: Child) -> dict[str, list[str]]:
    lines = Path(f"/proc/{child.pid}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): line[26:].split()[:2] for line in lines}


def opened_by(program: Program) -> set[str]:
    """What a child has open once it is ready."""
    with Child(unused(program)) as started:
        wait_ready(started)
        return {str(link.readlink()) for link in Path(f"/proc/{started.pid}/fd").iterdir()}


def test_an_inherited_descriptor_stays_away_whatever_its_number(tmp_path: Path) -> None:
    with (tmp_path / "kept").open("w") as kept:
        high = fcntl.fcntl(kept.fileno(), fcntl.F_DUPFD, 200)
        try:
            os.set_inheritable(high, True)
            opened = opened_by(LIBAV)
        finally:
            os.close(high)
    assert str(tmp_path / "kept") not in opened


LIBRARY = "VERSION, FAILURES, Service = '1', (), object\n"


def test_what_its_library_left_open_is_closed_before_a_file_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = LIBRARY + "import os\nkept = os.open(__file__, os.O_RDONLY)\n"
    opened = opened_by(written_library(code, tmp_path, monkeypatch))
    assert {name.partition(":")[0] for name in opened} == {"socket", "/dev/null"}


def test_what_its_library_started_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"""{LIBRARY}
import os, signal
started = os.fork()
if not started:
    signal.pause()
with open({str(tmp_path / "started")!r}, "w") as told:
    told.write(str(started))
"""
    with Child(unused(written_library(code, tmp_path, monkeypatch))) as child:
        wait_ready(child)
        started = os.pidfd_open(int((tmp_path / "started").read_text()))
    try:
        assert select.select([started], [], [], 20)[0]
    finally:
        with suppress(ProcessLookupError):  # which is as it must be
            signal.pidfd_send_signal(started, signal.SIGKILL)
        os.close(started)


def test_it_loads_nothing_of_the_current_folder_and_no_hook_of_another_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = LIBRARY + "import sys\nVERSION = ['site' in sys.modules, *sys.path[:2]]\n"
    program = unused(written_library(code, tmp_path, monkeypatch))
    with open_conversation(program, BytesSource(b""), budget_bytes=0) as started:
        has_hooks, *first = literal_eval(started.version)
    assert not has_hooks
    assert all(Path(folder).is_relative_to(sys.base_prefix) for folder in first)


@pytest.mark.parametrize("start", [Child, forked_child])
def test_leaving_the_context_ends_it(start: Callable[[Program], Child]) -> None:
    with start(LIBAV) as started:
        pid = started.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_interrupt_ends_it_as_any_signal_does(child: Child) -> None:
    os.kill(child.pid, signal.SIGINT)
    assert child.wait_code(20) == -signal.SIGINT


def test_a_parent_that_hangs_up_ends_it(child: Child) -> None:
    child.socket.shutdown(socket.SHUT_RDWR)
    assert child.wait_code(20) == 0


def test_a_python_that_cannot_be_started_may_be_there_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    opened = descriptors()
    with pytest.raises(MediaToolError, match="no process could be started") as caught:
        Child(unused(LIBAV))
    assert caught.value.code == "media_tool_start"
    assert descriptors() == opened


def descriptors() -> set[str]:
    return {link.name for link in Path("/proc/self/fd").iterdir()}


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.delitem(sys.modules, "av", raising=False)
    with pytest.raises(LibraryMissingError, match="the package av is not installed"):
        Child(unused(LIBAV))


def test_a_library_that_computes_in_threads_may_start_them() -> None:
    with Child(C2PA) as started:
        wait_ready(started)
        limits = read_limits(started)
    assert limits["Max processes"] != ["0", "0"]
    assert limits["Max open files"] == ["3", "3"]
    assert limits["Max address space"] == [str(C2PA.limits.address_space_bytes)] * 2
