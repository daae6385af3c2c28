"""The only place that starts a process: a library that reads one hostile file, fenced in."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import reelflow
from reelflow.exceptions import MediaToolError

#: -I: no environment variable, user folder or current folder; -S: no site hooks of other packages.
_INTERPRETER_FLAGS: Final = ("-I", "-S")
#: It lives too short for the collector of cycles to be worth its work.
_CODE: Final = """
import gc, sys
gc.disable()
sys.path += sys.argv[1:-4]
from reelflow.sandbox.inside.main import main
main()
"""

#: To the GNU C library: give large pieces of memory back as soon as they are free. It would learn
#: to keep those of up to 32 MiB, and hold them against the limit.
_ENVIRONMENT: Final = {"MALLOC_MMAP_THRESHOLD_": str(1024 * 1024)}


class LibraryMissingError(Exception):
    """What the child runs is not installed here, or cannot be loaded."""


@dataclass(frozen=True)
class Limits:
    """What one child may use, for all of its work on one file.

    :param wall_clock_s: its own time; what reading the source takes is not counted
    :param has_threads: whether its library computes in several threads
    """

    wall_clock_s: float
    cpu_s: int
    address_space_bytes: int
    has_threads: bool = False


@dataclass(frozen=True)
class Program:
    """What runs in a child.

    :param library: what people call the library that reads the file
    :param service: name of the module that answers questions with it; it has ``VERSION``,
        ``FAILURES`` (what a file was seen to make it raise) and ``Service``, whose ``answer`` takes
        a question and returns an answer and attachments
    :param packages: the packages that this module needs, besides Reelflow and Python's own
    :param max_answer_bytes: longest answer, as JSON
    """

    library: str
    service: str
    packages: tuple[str, ...]
    limits: Limits
    max_answer_bytes: int = 16 * 1024


class Child:
    """A running child and the socket to it. Leaving the context kills it, whatever it does.

    It gets nothing of our environment, no descriptor but the socket, its own session, and sets its
    own limits before it sees a byte of the file (`reelflow.sandbox.inside.main`): where they were
    set between fork and exec, starting it from a large process would take a hundred times as long.

    :raises LibraryMissingError: the packages that it needs are not installed
    :raises MediaToolError: no process could be started
    """

    def __init__(self, program: Program) -> None:
        command = [sys.executable, *_INTERPRETER_FLAGS, "-c", _CODE]
        command += [*_package_folders(program.packages), program.service]
        limits = program.limits
        command += [str(limits.address_space_bytes), str(limits.cpu_s), str(limits.has_threads)]
        self.socket, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the arguments are ours
                    command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=_ENVIRONMENT,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                self.socket.close()
                raise MediaToolError(
                    f"no process could be started ({error.strerror}); run it again later.",
                    code="media_tool_start",
                ) from error

    @property
    def pid(self) -> int:
        """The process id, which is its group's too."""
        return self._process.pid

    def wait_code(self, timeout_s: float) -> int:
        """Give the exit code of a child that hung up; negative when a signal ended it."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return 0

    def kill(self) -> None:
        """End it and all that it may have started."""
        if self._process.returncode is None:  # not reaped: its number is still its group's
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

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


def _package_folders(packages: tuple[str, ...]) -> list[str]:
    """Give the folders to import from: of Reelflow, and of what the child needs besides."""
    folders = [str(Path(next(iter(reelflow.__path__))).parent)]
    for name in packages:
        found = importlib.util.find_spec(name)  # finds it without running it
        if found is None or found.origin is None:
            raise LibraryMissingError(f"the package {name} is not installed")
        folders.append(str(Path(found.origin).parent.parent))
    return list(dict.fromkeys(folders))
