"""Runs one command of this environment to its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from demo.exceptions import StackError
from demo.processes import tail

TIMEOUT_S = 120.0


def script(name: str) -> Path:
    """Return a console script of the environment that runs this."""
    return Path(sys.executable).with_name(name)


def run_script(name: str, *arguments: str, environment: Mapping[str, str], folder: Path) -> str:
    """Run a console script and return what it printed.

    :param folder: its working folder
    :raises StackError: if it fails, with the end of what it said, or does not end in time
    """
    line = " ".join([name, *arguments])
    try:
        done = subprocess.run(
            [str(script(name)), *arguments],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise StackError(f"{line} did not end within {TIMEOUT_S:.0f} s") from None
    if done.returncode:
        said = tail(done.stdout + done.stderr)
        raise StackError(f"{line} ended with exit code {done.returncode}:\n{said}")
    return done.stdout
