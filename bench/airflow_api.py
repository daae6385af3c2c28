"""What taking files in does to Airflow's own API on the same machine.

Prints one JSON object a line and exits with 1 if a target is missed::

    python -m bench.airflow_api [--rounds 5] [--seconds 5]

Airflow's API server is asked for its DAGs over and over, by one client: while nothing else happens,
then while files are taken in as fast as that goes, by ``reelflow serve`` beside it or by the plugin
inside of it. Each pair gives one ratio of the 95th percentiles.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import multiprocessing.connection
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from bench.intake_client import Connection
from bench.intake_servers import Server, running_serve
from bench.intake_upload import MIB, File, ask, begin, make_file, raw
from reelflow.api.intake import API_PATH
from tests import factories
from tests.integration.airflow_server import AirflowServer

FILE_MIB, CHUNK_MIB = 256, 8
#: As many as the plugin takes files of at once.
USERS = ("anna", "ben")
_PAUSE_S = 0.01
#: A percentile of fewer says nothing.
_ANSWERS_MIN = 20
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Case:
    """A server that takes files in, and how much slower Airflow's API may be meanwhile.

    :param servers: the same one, as each of its users knows it
    """

    name: str
    servers: Sequence[Server]
    ratio_max: float


def main() -> None:
    """Measure both and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="pairs for each figure")
    parser.add_argument("--seconds", type=float, default=5, help="of asking, each time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reelflow-bench-") as name:
        folder = Path(name)
        file = make_file(folder / "clip.mp4", FILE_MIB, CHUNK_MIB)
        with (
            running_airflow(folder) as (airflow, plugin),
            running_serve(folder / "served", durable=True) as serve,
        ):
            cases = (Case("serve", [serve] * len(USERS), 1.5), Case("plugin", plugin, 3.0))
            results = [measure(airflow, case, file, options) for case in cases]
    for result in results:
        print(json.dumps(result))
    sys.exit(0 if all(result["ok"] for result in results) else 1)


@contextmanager
def running_airflow(folder: Path) -> Iterator[tuple[AirflowServer, Sequence[Server]]]:
    """Run Airflow's API server, with a ledger for its plugin."""
    home = folder / "mounted"
    home.mkdir()
    settings = {
        "REELFLOW_HOME": str(home),
        "REELFLOW_DATABASE_URL": factories.migrated_sqlite(home),
    }
    airflow = AirflowServer(settings)
    try:
        address = urlsplit(airflow.address)
        assert address.hostname is not None
        assert address.port is not None
        where = (address.hostname, address.port)
        keys = [{"Authorization": f"Bearer {airflow.token(user)}"} for user in USERS]
        yield airflow, [Server(where, airflow.process.pid, API_PATH, key) for key in keys]
    finally:
        airflow.kill()


def measure(
    airflow: AirflowServer, case: Case, file: File, options: argparse.Namespace
) -> dict[str, object]:
    """Ask Airflow with and without uploads, in turn."""
    headers = {"Authorization": f"Bearer {airflow.token('carl')}"}
    idle, busy, speeds = [], [], []
    p95_s(airflow, headers, 1.0)
    for _ in range(options.rounds):
        idle.append(p95_s(airflow, headers, options.seconds))
        with uploading(case.servers, file) as sent:
            busy.append(p95_s(airflow, headers, options.seconds))
        speeds.append(sent.mib_per_s)
    ratio = statistics.median(loaded / quiet for loaded, quiet in zip(busy, idle, strict=True))
    return {
        "benchmark": "airflow_api",
        "through": case.name,
        "idle_p95_ms": round(statistics.median(idle) * 1000, 1),
        "busy_p95_ms": round(statistics.median(busy) * 1000, 1),
        "intake_mib_per_s": round(statistics.median(speeds)),
        "ratio": round(ratio, 2),
        "ratio_max": case.ratio_max,
        "ok": ratio <= case.ratio_max,
    }


def p95_s(airflow: AirflowServer, headers: dict[str, str], seconds: float) -> float:
    """Ask Airflow's API for a while; return the 95th percentile of its answers' times."""
    took_s = []
    until = time.perf_counter() + seconds
    with requests.Session() as session:
        while time.perf_counter() < until or len(took_s) < _ANSWERS_MIN:
            began = time.perf_counter()
            answer = session.get(
                f"{airflow.address}/api/v2/dags", headers=headers, timeout=_TIMEOUT_S
            )
            took_s.append(time.perf_counter() - began)
            answer.raise_for_status()
            time.sleep(_PAUSE_S)
    return statistics.quantiles(took_s, n=20)[-1]


@dataclass
class Sent:
    """How fast files went; known at the end."""

    mib_per_s: float = 0.0


@contextmanager
def uploading(servers: Sequence[Server], file: File) -> Iterator[Sent]:
    """Upload over and over, from a process for each user, while the block lasts."""
    sent = Sent()
    with ExitStack() as uploaders:
        pipes = [uploaders.enter_context(_uploader(server, file)) for server in servers]
        for pipe in pipes:
            pipe.recv()  # the first chunks are on their way
        yield sent
        for pipe in pipes:
            pipe.send("stop")
        sent.mib_per_s = sum(pipe.recv() for pipe in pipes)


@contextmanager
def _uploader(server: Server, file: File) -> Iterator[multiprocessing.connection.Connection]:
    """Run a process that uploads until it is told to stop, and then tells how fast it was."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_upload, args=(server, file, theirs), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        process.kill()
        process.join()


def _upload(server: Server, file: File, parent: multiprocessing.connection.Connection) -> None:
    parent.send("begun")
    began, sent_bytes = time.perf_counter(), 0
    while not parent.poll():
        upload_id = begin(server, file)
        with Connection(server.address) as connection, file.path.open("rb") as content:
            for call in raw(server, file, upload_id):
                if parent.poll():
                    break
                connection.send(call, content.fileno())
                sent_bytes += call.end - call.start
        ask(server, "DELETE", f"/media/upload/{upload_id}")
    parent.send(sent_bytes / MIB / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
