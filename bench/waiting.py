"""Whether a task holds a worker's slot while TikTok processes its post.

Prints one JSON object and exits with 1 if one does::

    python -m bench.waiting [--posts 20] [--processing-s 90]

The stack of ``bench.orchestration``. TikTok has all posts and processes them for 90 s; from the
moment when every sensor has deferred until TikTok is done, Airflow is asked each second how many
slots of its pools are taken, and by which tasks.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from typing import Any

from bench.orchestration_run import Videos, drop, task_instances, wait_for_quiet
from bench.orchestration_stack import BenchStack, accounts_for, postgresql_stack
from demo.processes import exit_on_signals
from demo.stack import DAG_ID
from demo.waiting import wait_until

WAITING = "publish_post.wait_for_publish"
#: States in which a task instance holds a slot.
_HOLDING = frozenset({"queued", "running"})


def main() -> None:
    """Let posts wait, and print what holds a slot meanwhile."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=20)
    parser.add_argument("--processing-s", type=float, default=90, help="TikTok's, of each post")
    options = parser.parse_args()
    exit_on_signals()
    with postgresql_stack(
        account_count=accounts_for(options.posts),
        simulator_arguments=("--processing-s", str(options.processing_s), "--link-polls", "0"),
    ) as stack:
        stack.wait_healthy()
        videos = Videos(stack).take(options.posts)
        figures = measure(stack, drop(stack.inbox, list(videos)))
    print(json.dumps(figures), flush=True)
    sys.exit(0 if figures["ok"] else 1)


def measure(stack: BenchStack, posts: int) -> dict[str, Any]:
    """Return how many slots were taken while all of the posts waited."""
    known = {run["dag_run_id"] for run in stack.airflow.dag_runs(DAG_ID)}
    wait_until(
        lambda: _deferred(stack, known) == posts,
        deadline_s=600.0,
        waiting_for="all sensors to defer at once; let TikTok process for longer",
        check=stack.check_alive,
        interval_s=1.0,
    )
    slots, holding, samples = [], Counter[str](), 0
    while _deferred(stack, known) == posts:
        pools = stack.api("GET", "/api/v2/pools")["pools"]
        slots.append(sum(one["running_slots"] + one["queued_slots"] for one in pools))
        holding.update(one["task_id"] for one in _instances(stack, known) if _holds(one))
        samples += 1
        time.sleep(1.0)
    wait_for_quiet(stack, [DAG_ID])
    return {
        "benchmark": "waiting",
        "posts": posts,
        "samples": samples,
        "slots_most": max(slots),
        "tasks_holding_a_slot": dict(holding),
        "ok": samples > 1 and max(slots) == 0 and not holding,
    }


def _holds(instance: dict[str, Any]) -> bool:
    return instance["state"] in _HOLDING


def _deferred(stack: BenchStack, known: set[str]) -> int:
    return sum(
        one["task_id"] == WAITING and one["state"] == "deferred" for one in _instances(stack, known)
    )


def _instances(stack: BenchStack, known: set[str]) -> list[dict[str, Any]]:
    runs = [run for run in stack.airflow.dag_runs(DAG_ID) if run["dag_run_id"] not in known]
    return [one for run in runs for one in task_instances(stack, run)]


if __name__ == "__main__":
    main()
