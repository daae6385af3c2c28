"""What Reelflow's stages cost beside Airflow's own work on the same graph.

Prints one JSON object a setting and exits with 1 if the target is missed::

    python -m bench.orchestration [--rounds 1]

Two settings, so that TikTok's own time is not counted as ours: TikTok is done at once, beside a
no-op sensor that defers to a trigger that fires at once; and TikTok is polled once, beside a no-op
sensor whose trigger sleeps as long as the pause before that poll.

One stack a setting, so one database, one scheduler and one parallelism. In each round the DAG of
``bench/noop_dag`` runs first, with tasks that do nothing, then ``publish_to_tiktok`` on 20 small
videos over 4 accounts, started by its own watcher. The figures are the runs' ``end_date`` minus
``start_date``, as Airflow's API tells them; beside them the CPU time of Airflow's processes in the
same span, which a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from demo import media
from demo.cases import Case, Original, drop, make_originals
from demo.exceptions import StackError
from demo.processes import cpu_seconds, exit_on_signals
from demo.stack import DAG_ID, Stack
from demo.waiting import wait_until

RATIO_MAX = 1.5
#: Pause before the sensor's first poll (``REELFLOW_POLL_INTERVAL_S``).
POLL_INTERVAL_S = 10
POSTS = 20
ACCOUNTS = 4
NOOP_DAG_ID = "noop"
NOOP_FOLDER = Path(__file__).resolve().parent / "noop_dag"
RUN_DEADLINE_S = 600.0
ENDED = frozenset({"success", "failed"})

LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
BUNDLES = [
    {"name": "dags-folder", "classpath": LOCAL_BUNDLE, "kwargs": {}},
    {"name": "bench", "classpath": LOCAL_BUNDLE, "kwargs": {"path": str(NOOP_FOLDER)}},
]


def main() -> None:
    """Run both DAGs in one stack and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=1, help="pairs of runs")
    options = parser.parse_args()
    exit_on_signals()
    ok = True
    for polls in (0, 1):
        with tempfile.TemporaryDirectory(prefix="reelflow-bench-") as folder:
            figures = run(Path(folder), rounds=options.rounds, polls=polls)
        print(json.dumps(figures), flush=True)
        ok = ok and figures["ok"]
    sys.exit(0 if ok else 1)


def run(folder: Path, *, rounds: int, polls: int) -> dict[str, Any]:
    """Measure; return the figures.

    :param polls: how often TikTok says that it is processing: 0, and no task waits; 1, and each
        task defers for one poll, as long as the sensor of the DAG that does nothing
    :raises StackError: if a run fails or posts not exactly its videos
    """
    extra = {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES),
        "NOOP_WAIT_S": str(polls * POLL_INTERVAL_S),
        "PYTHONPATH": str(NOOP_FOLDER),  # the triggerer imports the trigger from there
    }
    noop_s: list[float] = []
    publish_s: list[float] = []
    cpu: dict[str, list[float]] = {"noop": [], "publish": []}
    stack = Stack(
        folder / "stack",
        extra_environment=extra,
        simulator_arguments=("--processing-polls", str(polls), "--link-polls", "0"),
    )
    with stack:
        stack.start()
        accounts = [one.username for one in stack.running_simulator().accounts[:ACCOUNTS]]
        for account in accounts:
            stack.add_account(account)
        rounds_of_files = [
            make_originals(small_videos(accounts, number), folder / "media")
            for number in range(rounds)
        ]
        stack.wait_healthy(dag_ids=[DAG_ID, NOOP_DAG_ID])
        # Not counted: it warms caches, while the daily run of last midnight, which Airflow makes at
        # its first start, goes by.
        run_noop(stack)
        for originals in rounds_of_files:
            with cpu_of(stack, cpu["noop"]):
                noop_s.append(run_noop(stack))
            with cpu_of(stack, cpu["publish"]):
                publish_s.append(run_publish(stack, originals))
    ratio = statistics.median(publish_s) / statistics.median(noop_s)
    return {
        "benchmark": "orchestration",
        "tiktok": "polled once" if polls else "done at once",
        "posts": POSTS,
        "accounts": ACCOUNTS,
        "noop_s": noop_s,
        "publish_s": publish_s,
        "noop_cpu_s": cpu["noop"],
        "publish_cpu_s": cpu["publish"],
        "ratio": round(ratio, 2),
        "ratio_max": RATIO_MAX,
        "ok": ratio <= RATIO_MAX,
    }


@contextmanager
def cpu_of(stack: Stack, figures: list[float]) -> Iterator[None]:
    """Add the CPU seconds that Airflow's processes use inside the block to the figures."""
    airflow = [one.identity for one in stack.components if one.name != "simulator"]
    before_s = cpu_seconds(airflow)
    yield
    figures.append(round(cpu_seconds(airflow) - before_s, 1))


def small_videos(accounts: list[str], round_number: int) -> list[Case]:
    """Return the cases of one round: no two videos are alike, accounts take turns."""
    return [
        Case(
            file=f"clip-{number:02}.mp4",
            account=accounts[number % len(accounts)],
            make=partial(media.small_mp4, number=number),
        )
        for number in range(round_number * POSTS, (round_number + 1) * POSTS)
    ]


def run_noop(stack: Stack) -> float:
    """Run the DAG that does nothing; return its wall time in seconds."""
    run = stack.api("POST", f"/api/v2/dags/{NOOP_DAG_ID}/dagRuns", {"logical_date": None})
    _wait_for_quiet(stack)
    path = f"/api/v2/dags/{NOOP_DAG_ID}/dagRuns/{run['dag_run_id']}"
    return _wall_s(stack.api("GET", path))


def run_publish(stack: Stack, originals: list[Original]) -> float:
    """Drop the videos and wait for the run they set off; return its wall time in seconds.

    The watcher may start a second run, which finds nothing left and is not counted.

    :raises StackError: if a run failed or not all videos were published
    """
    before = {run["dag_run_id"] for run in stack.airflow.dag_runs(DAG_ID)}
    published = len(stack.running_simulator().posts())
    drop(originals, stack.inbox)
    wait_until(
        lambda: len(stack.airflow.dag_runs(DAG_ID)) > len(before),
        deadline_s=RUN_DEADLINE_S,
        waiting_for=f"the watcher to start a run of {DAG_ID}",
        check=stack.check_alive,
        interval_s=1.0,
    )
    _wait_for_quiet(stack)
    runs = [run for run in stack.airflow.dag_runs(DAG_ID) if run["dag_run_id"] not in before]
    gained = len(stack.running_simulator().posts()) - published
    if {run["state"] for run in runs} != {"success"} or gained != len(originals):
        told = ", ".join(f"{run['dag_run_id']} {run['state']}" for run in runs)
        raise StackError(f"{gained} of {len(originals)} videos were published, by runs: {told}")
    return _wall_s(runs[0])


def _wait_for_quiet(stack: Stack) -> None:
    """Wait until no run is left that would share the machine with the next one."""

    def all_ended() -> bool:
        runs = stack.airflow.dag_runs(NOOP_DAG_ID) + stack.airflow.dag_runs(DAG_ID)
        return all(run["state"] in ENDED for run in runs)

    wait_until(
        all_ended,
        deadline_s=RUN_DEADLINE_S,
        waiting_for="all runs to end",
        check=stack.check_alive,
        interval_s=1.0,
    )


def _wall_s(run: dict[str, Any]) -> float:
    begin, end = (datetime.fromisoformat(run[name]) for name in ("start_date", "end_date"))
    return round((end - begin).total_seconds(), 1)


if __name__ == "__main__":
    main()
