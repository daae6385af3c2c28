"""The servers of the intake benchmark, each a process: ``reelflow serve``, and a bare route."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.intake_client import Address
from demo.commands import run_script, script
from demo.environment import inherited_environment
from reelflow.ledger.cipher import generate_key

_STOP_TIMEOUT_S = 30


@dataclass(frozen=True)
class Server:
    """A server that takes chunks.

    :param path: below which the API lies
    :param headers: what every request needs
    """

    address: Address
    pid: int
    path: str
    headers: Mapping[str, str]


@contextmanager
def running_bare() -> Iterator[Server]:
    """Run the route that forgets what it reads."""
    with _running([sys.executable, "-m", "bench.intake_bare"], os.environ) as (pid, line):
        yield Server(("127.0.0.1", int(line)), pid, "", {})


@contextmanager
def running_serve(folder: Path, *, durable: bool) -> Iterator[Server]:
    """Run ``reelflow serve`` on a data folder of its own.

    :param durable: whether a chunk is on the disk before it counts
    """
    environment = {
        **inherited_environment(),
        "REELFLOW_HOME": str(folder),
        "REELFLOW_FERNET_KEY": generate_key(),
        "REELFLOW_DURABLE_CHUNKS": str(durable),
        "REELFLOW_MAX_VIDEO_SIZE_MIB": "4096",
    }
    run_script("reelflow", "db", "upgrade", environment=environment, folder=folder.parent)
    key = run_script(
        "reelflow", "keys", "create", "bench", environment=environment, folder=folder.parent
    )
    with _running([str(script("reelflow")), "serve", "--port", "0"], environment) as (pid, line):
        found = re.search(r"http://([\d.]+):(\d+)(/\S+);", line)
        assert found is not None, line
        headers = {"Authorization": f"Bearer {key.strip()}"}
        yield Server((found[1], int(found[2])), pid, found[3], headers)


def forget_peak(pid: int) -> None:
    """Let a process's peak of memory begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has had since."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Run a server; give its id and the line by which it says that it is ready."""
    process = subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(command)} ended with {process.wait()}")
        yield process.pid, line
    finally:
        process.terminate()
        process.communicate(timeout=_STOP_TIMEOUT_S)
