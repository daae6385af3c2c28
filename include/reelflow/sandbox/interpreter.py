"""Starting a Python that knows nothing of ours but the socket to us: the only place that does."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import reelflow
from reelflow.exceptions import MediaToolError
from reelflow.sandbox.program import LibraryMissingError, Program

#: -I: no environment variable, user folder or current folder; -S: no site hooks of other packages.
_FLAGS: Final = ("-I", "-S")
#: A child lives too short for the collector of cycles to be worth its work; a fork server, which
#: its children would inherit it from, makes no cycles.
_CODE: Final = """
import gc, sys
gc.disable()
sys.path += sys.argv[2:-4]
from importlib import import_module
import_module(sys.argv[1]).main()
"""

#: To the GNU C library: give large pieces of memory back as soon as they are free. It would learn
#: to keep those of up to 32 MiB, and hold them against the limit.
_ENVIRONMENT: Final = {"MALLOC_MMAP_THRESHOLD_": str(1024 * 1024)}


def start_interpreter(
    entry: str, program: Program, theirs: socket.socket
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, with the socket as its standard input.

    It gets nothing of our environment and no other descriptor. It sets its limits itself, before it
    sees a byte of a file: where they were set between fork and exec, starting it from a large
    process would take a hundred times as long.

    :param entry: name of the module whose ``main`` it runs
    :raises LibraryMissingError: the packages that it needs are not installed
    :raises MediaToolError: no process could be started
    """
    limits = program.limits
    command = [sys.executable, *_FLAGS, "-c", _CODE, entry, *_package_folders(program.packages)]
    command += [program.service, str(limits.address_space_bytes), str(limits.cpu_s)]
    command.append(str(limits.has_threads))
    try:
        return subprocess.Popen(  # noqa: S603 - the arguments are ours
            command,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise MediaToolError(
            f"no process could be started ({error.strerror}); run it again later.",
            code="media_tool_start",
        ) from error


def _package_folders(packages: tuple[str, ...]) -> list[str]:
    """Give the folders to import from: of Reelflow, and of what the child needs besides."""
    folders = [str(Path(next(iter(reelflow.__path__))).parent)]
    for name in packages:
        found = importlib.util.find_spec(name)  # finds it without running it
        if found is None or found.origin is None:
            raise LibraryMissingError(f"the package {name} is not installed")
        folders.append(str(Path(found.origin).parent.parent))
    return list(dict.fromkeys(folders))
