"""The only place that starts a process: the decoding child, fenced in, on hostile input."""

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

DECODER_MISSING: Final = "decoder_missing"
"""Code of the error that says that no child can decode on this machine."""

#: -I: no environment variable, user folder or current folder; -S: no site hooks of other packages.
_INTERPRETER_FLAGS: Final = ("-I", "-S")
#: It lives too short for the collector of cycles to be worth its work.
_CODE: Final = """
import gc, sys
gc.disable()
sys.path += sys.argv[1:-2]
from reelflow.media.child.main import main
main()
"""
_PACKAGES: Final = ("av", "PIL")


@dataclass(frozen=True)
class ChildLimits:
    """What one child may use, for all of its work on one file.

    :param wall_clock_s: its own time; what reading the source takes is not counted
    :param address_space_bytes: holds a keyframe of any 4096x4096 video three times over; where the
        reference frames of an exact moment do not fit, the keyframe before it is the cover. A 2 MB
        file with a compressed index would take 2 GiB
    """

    wall_clock_s: float = 40
    cpu_s: int = 30
    address_space_bytes: int = 448 * 1024 * 1024


class Child:
    """A running child and the socket to it. Leaving the context kills it, whatever it does.

    It gets no environment, no descriptor but the socket, its own session, and sets its own limits
    before it sees a byte of the file (`reelflow.media.child.main`).

    :raises MediaToolError: no process could be started, or the packages it needs are not installed
    """

    def __init__(self, limits: ChildLimits) -> None:
        flags = [str(limits.address_space_bytes), str(limits.cpu_s)]
        command = [sys.executable, *_INTERPRETER_FLAGS, "-c", _CODE, *_package_folders(), *flags]
        self.socket, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the arguments are ours
                    command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={},
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
        if self._process.poll() is None:
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


def _package_folders() -> list[str]:
    """Give the folders to import from: of Reelflow, of av and of Pillow."""
    folders = [str(Path(next(iter(reelflow.__path__))).parent)]
    for name in _PACKAGES:
        found = importlib.util.find_spec(name)  # finds it without running it
        if found is None or found.origin is None:
            raise decoder_missing(f"the package {name} is not installed")
        folders.append(str(Path(found.origin).parent.parent))
    return list(dict.fromkeys(folders))


def decoder_missing(why: str) -> MediaToolError:
    """Build the error that says that no child can decode on this machine."""
    fix = "install Reelflow's requirements again: pip install --force-reinstall av Pillow"
    return MediaToolError(f"no video can be decoded here: {why}; {fix}", code=DECODER_MISSING)
