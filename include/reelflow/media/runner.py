"""The only place that starts a program: ffmpeg and ffprobe, fenced in, on hostile input."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from reelflow.exceptions import MediaToolError

_FIXES = {
    "ffmpeg": ("ffmpeg_missing", "apt-get install ffmpeg"),
    "ffprobe": ("ffmpeg_missing", "apt-get install ffmpeg"),
    "prlimit": ("prlimit_missing", "apt-get install util-linux"),
}
_LIMIT_SIGNALS: dict[int, str] = {
    signal.SIGXCPU: "computing time",
    signal.SIGXFSZ: "output size",
}
_STDERR_BYTES = 16 * 1024


@dataclass(frozen=True)
class ToolLimits:
    """What one run of a tool may use.

    :param address_space_bytes: a 2 MB file with a compressed index takes ffprobe to 2 GiB; real
        4096x4096 video decodes within 1 GiB
    :param file_size_bytes: of each file it writes, its standard output among them
    """

    wall_clock_s: float = 30
    cpu_s: int = 20
    address_space_bytes: int = 1536 * 1024 * 1024
    file_size_bytes: int = 32 * 1024 * 1024
    open_files: int = 64


@dataclass(frozen=True)
class ToolResult:
    """How a run ended.

    :param return_code: negative when a signal ended the program
    :param stderr: the first 16 KiB, for diagnosis; it may quote the file, so never trust it
    """

    return_code: int
    stdout: bytes
    stderr: str

    @property
    def stopped_by_limit(self) -> str | None:
        """Name the resource limit that ended the program, if one did."""
        return _LIMIT_SIGNALS.get(-self.return_code)


def run_tool(
    argv: Sequence[str], *, pass_fds: Sequence[int] = (), limits: ToolLimits | None = None
) -> ToolResult:
    """Run ffmpeg or ffprobe and collect what it says.

    The program gets no environment but PATH and LC_ALL, no input, its own session, and open files
    only in `pass_fds`. Output goes to memory files, which the file size limit caps.

    :param argv: from `reelflow.media.commands`; never holds a name that a user chose
    :raises MediaToolError: the program is missing, did not start, was killed, or ran out of
        wall-clock time
    """
    limits = limits or ToolLimits()
    command = [*_prlimit(limits), _program(argv[0]), *argv[1:]]
    with _memory_file("stdout") as stdout, _memory_file("stderr") as stderr:
        process = _start(command, stdout, stderr, pass_fds)
        return_code = _wait(process, argv[0], limits.wall_clock_s)
        output = os.pread(stdout.fileno(), limits.file_size_bytes, 0)
        errors = os.pread(stderr.fileno(), _STDERR_BYTES, 0)
    return ToolResult(return_code, output, errors.decode("utf-8", "replace"))


def find_tool(name: str) -> str | None:
    """Give the path of `ffmpeg`, `ffprobe` or `prlimit`, or None when it is not installed."""
    return shutil.which(name, path=_path())


def _start(
    command: Sequence[str], stdout: BinaryIO, stderr: BinaryIO, pass_fds: Sequence[int]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - the arguments are ours, and no shell reads them
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={"PATH": _path(), "LC_ALL": "C"},
            cwd="/",
            start_new_session=True,
            pass_fds=tuple(pass_fds),
        )
    except OSError as error:
        raise MediaToolError(
            f"no process could be started ({error.strerror}); run it again later.",
            code="media_tool_start",
        ) from error


def _wait(process: subprocess.Popen[bytes], name: str, wall_clock_s: float) -> int:
    try:
        return_code = process.wait(wall_clock_s)
    except subprocess.TimeoutExpired as error:
        raise MediaToolError(
            f"{name} did not finish within {wall_clock_s:g} s; "
            "the machine may be overloaded: run it again later.",
            code="media_tool_timeout",
        ) from error
    finally:  # also when the task itself is interrupted while it waits
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if return_code == -signal.SIGKILL:
        raise MediaToolError(
            f"{name} was killed, most likely because the machine ran out of memory; "
            "run it again, on a machine with more memory if that repeats.",
            code="media_tool_killed",
        )
    return return_code


def _prlimit(limits: ToolLimits) -> list[str]:
    # A wrapper program: limits set by preexec_fn make a spawn from a large process 100x slower.
    return [
        _program("prlimit"),
        f"--as={limits.address_space_bytes}",
        # The soft limit's signal tells a greedy file from a kill by the system or a person.
        f"--cpu={limits.cpu_s}:{limits.cpu_s + 2}",
        f"--fsize={limits.file_size_bytes}",
        f"--nofile={limits.open_files}",
        "--core=0",
        "--",
    ]


def _program(name: str) -> str:
    found = find_tool(name)
    if found is None:
        code, fix = _FIXES[name]
        raise MediaToolError(f"{name} is not installed; run: {fix}", code=code)
    return found


def _path() -> str:
    return os.environ.get("PATH", os.defpath)


def _memory_file(name: str) -> BinaryIO:
    return os.fdopen(os.memfd_create(name), "wb")
