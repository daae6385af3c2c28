import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.exceptions import MediaToolError
from reelflow.media.runner import ToolLimits, find_tool, run_tool


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def wait_until(condition: Callable[[], bool], deadline_s: float = 10) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_output_errors_and_exit_code_come_back() -> None:
    result = run_tool(shell("echo out; echo err >&2; exit 3"))
    assert (result.return_code, result.stdout, result.stderr) == (3, b"out\n", "err\n")
    assert result.stopped_by_limit is None


def test_the_environment_holds_nothing_but_path_and_locale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", "secret")
    names = {line.partition(b"=")[0] for line in run_tool(["env"]).stdout.splitlines()}
    assert names == {b"PATH", b"LC_ALL"}


def test_the_program_has_no_input() -> None:
    assert run_tool(["cat"]).stdout == b""


def test_only_the_passed_files_are_open_in_the_program(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("passed")
    with path.open() as passed, path.open() as kept:
        os.set_inheritable(kept.fileno(), True)
        number, other = passed.fileno(), kept.fileno()
        read = f"cat /proc/self/fd/{number}; echo; echo /proc/self/fd/*"
        content, names = run_tool(shell(read), pass_fds=[number]).stdout.split(b"\n")[:2]
    assert content == b"passed"
    open_numbers = {int(name.rpartition(b"/")[2]) for name in names.split()}
    assert number in open_numbers
    assert other not in open_numbers


def test_limits_are_in_force() -> None:
    result = run_tool(
        ["prlimit", "--output", "RESOURCE,SOFT", "--noheadings", "--raw"],
        limits=ToolLimits(cpu_s=7, address_space_bytes=10**9, file_size_bytes=12345, open_files=33),
    )
    limits = dict(line.split() for line in result.stdout.decode().splitlines())
    wanted = {"CPU": "7", "AS": "1000000000", "FSIZE": "12345", "NOFILE": "33", "CORE": "0"}
    assert {name: limits[name] for name in wanted} == wanted


def test_output_is_capped() -> None:
    result = run_tool(
        ["head", "-c", "100000", "/dev/zero"], limits=ToolLimits(file_size_bytes=5000)
    )
    assert len(result.stdout) == 5000
    assert result.stopped_by_limit == "output size"


def test_a_program_that_computes_without_end_is_stopped_by_the_cpu_limit() -> None:
    result = run_tool(shell("while :; do :; done"), limits=ToolLimits(cpu_s=1))
    assert result.stopped_by_limit == "computing time"


def test_a_hanging_program_is_killed_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"sleep 600 & echo $! > {pid_file}; wait"
    with pytest.raises(MediaToolError, match=r"did not finish within 0\.5 s") as caught:
        run_tool(shell(script), limits=ToolLimits(wall_clock_s=0.5))
    assert caught.value.code == "media_tool_timeout"
    wait_until(lambda: not is_running(int(pid_file.read_text())))


def test_a_kill_from_outside_may_be_tried_again() -> None:
    with pytest.raises(MediaToolError, match="was killed") as caught:
        run_tool(shell("kill -KILL $$"))
    assert caught.value.code == "media_tool_killed"


@pytest.mark.parametrize("name", ["ffmpeg", "ffprobe"])
def test_a_missing_program_is_told_with_the_line_that_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prlimit = find_tool("prlimit")
    assert prlimit is not None
    (tmp_path / "prlimit").symlink_to(prlimit)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MediaToolError, match="apt-get install ffmpeg") as caught:
        run_tool([name])
    assert caught.value.code == "ffmpeg_missing"


def test_missing_limits_are_never_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MediaToolError, match="apt-get install util-linux") as caught:
        run_tool(["ffprobe"])
    assert caught.value.code == "prlimit_missing"
