"""One run of each DAG of the orchestration benchmark, and its figures."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.orchestration_stack import NOOP_DAG_ID, BenchStack, accounts_for
from demo import media
from demo.exceptions import StackError
from demo.stack import DAG_ID
from demo.waiting import wait_until

RUN_DEADLINE_S = 1800.0
ENDED = frozenset({"success", "failed"})
#: Five digits in each title, so that no length in the file changes with the number.
_FIRST_NUMBER = 10_000
_PAGE = 100


class Videos:
    """Small videos, no two alike, for a stack's accounts, which each get only some of them."""

    def __init__(self, stack: BenchStack) -> None:
        make = partial(media.small_mp4, number=_FIRST_NUMBER)
        self._bytes = media.make(make, stack.folders.root / "clip.mp4").read_bytes()
        self._accounts = iter([one.username for one in stack.running_simulator().accounts])
        self._numbers = itertools.count(_FIRST_NUMBER)

    def take(self, count: int) -> Iterator[tuple[str, str, bytes]]:
        """Give out account, file name and bytes of so many videos, for new accounts in turn."""
        accounts = list(itertools.islice(self._accounts, accounts_for(count)))
        for number, account in zip(range(count), itertools.cycle(accounts), strict=False):
            yield account, f"clip-{number:03}.mp4", self.bytes_of(next(self._numbers))

    def bytes_of(self, number: int) -> bytes:
        """Return the video with a number in its title."""
        return self._bytes.replace(b"clip %d" % _FIRST_NUMBER, b"clip %d" % number)


def run_noop(stack: BenchStack, *, posts: int) -> dict[str, Any]:
    """Run the DAG that does nothing; return its figures."""
    before = stack.cpu_s()
    path = f"/api/v2/dags/{NOOP_DAG_ID}/dagRuns"
    run = stack.api("POST", path, {"logical_date": None, "conf": {"posts": posts}})
    wait_for_quiet(stack)
    return _figures(stack, stack.api("GET", f"{path}/{run['dag_run_id']}"), before)


def run_publish(stack: BenchStack, videos: Iterator[tuple[str, str, bytes]]) -> dict[str, Any]:
    """Drop the videos and wait for the run they set off; return its figures.

    The watcher may start a second run, which finds nothing left and is not counted.

    :raises StackError: if a run failed or not all videos were published
    """
    known = {run["dag_run_id"] for run in stack.airflow.dag_runs(DAG_ID)}
    published = len(stack.running_simulator().posts())
    dropped = drop(stack.inbox, list(videos))
    wait_until(
        lambda: len(stack.airflow.dag_runs(DAG_ID)) > len(known),
        deadline_s=RUN_DEADLINE_S,
        waiting_for=f"the watcher to start a run of {DAG_ID}",
        check=stack.check_alive,
    )
    before = stack.cpu_s()
    wait_for_quiet(stack)
    runs = [run for run in stack.airflow.dag_runs(DAG_ID) if run["dag_run_id"] not in known]
    gained = len(stack.running_simulator().posts()) - published
    if {run["state"] for run in runs} != {"success"} or gained != dropped:
        told = ", ".join(f"{run['dag_run_id']} {run['state']}" for run in runs)
        raise StackError(f"{gained} of {dropped} videos were published, by runs: {told}")
    return _figures(stack, runs[0], before)


def drop(inbox: Path, videos: Sequence[tuple[str, str, bytes]]) -> int:
    """Put videos into the inbox, all within an instant; return how many."""
    hidden = []
    for account, name, content in videos:
        path = inbox / account / f".{name}"
        path.write_bytes(content)
        hidden.append(path)
    for path in hidden:
        path.replace(path.with_name(path.name[1:]))
    return len(hidden)


def wait_for_quiet(stack: BenchStack, dag_ids: Sequence[str] = (NOOP_DAG_ID, DAG_ID)) -> None:
    """Wait until no run is left that would share the machine with the next one."""

    def all_ended() -> bool:
        runs = [run for dag_id in dag_ids for run in stack.airflow.dag_runs(dag_id)]
        return all(run["state"] in ENDED for run in runs)

    wait_until(
        all_ended,
        deadline_s=RUN_DEADLINE_S,
        waiting_for="all runs to end",
        check=stack.check_alive,
        interval_s=2.0,
    )


def _figures(stack: BenchStack, run: dict[str, Any], before: Mapping[str, float]) -> dict[str, Any]:
    used = {name: round(cpu_s - before[name], 1) for name, cpu_s in stack.cpu_s().items()}
    begin, end = (datetime.fromisoformat(run[name]) for name in ("start_date", "end_date"))
    instances = list(task_instances(stack, run))
    return {
        "wall_s": round((end - begin).total_seconds(), 1),
        "cpu_s": round(sum(used.values()), 1),
        "cpu_s_by_program": used,
        "tasks": dict(Counter(one["state"] for one in instances)),
        # A try that failed is tried again, and the state is that of the last one.
        "failed_tasks": sum(max(one["try_number"] - 1, 0) for one in instances),
    }


def task_instances(stack: BenchStack, run: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give out a run's task instances."""
    path = f"/api/v2/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances"
    for offset in itertools.count(0, _PAGE):
        page = stack.api("GET", path, limit=_PAGE, offset=offset)
        yield from page["task_instances"]
        if offset + _PAGE >= page["total_entries"]:
            return
