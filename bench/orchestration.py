"""What Reelflow's stages cost beside Airflow's own work on the same graph.

Prints one JSON object a pair of runs and one for all of a size, and exits with 1 if a target is
missed::

    python -m bench.orchestration [--posts 100] [--rounds 3]
    python -m bench.orchestration --posts 20 100 200 --rounds 1    # three sizes: how it grows
    python -m bench.orchestration --rounds 5                       # the deferral race

One stack: Airflow and ledger on PostgreSQL, 16 tasks at once, two processors. In turn the DAG of
``bench/noop_dag`` runs, with tasks that do nothing, then ``publish_to_tiktok`` on as many small
videos, five an account, which its own watcher starts. Each post's sensor defers once; its trigger
asks 10 to 20 s later, and TikTok is done then. The other DAG's sensor defers for 10 s.

Wall time is a run's ``end_date`` minus ``start_date``, as Airflow's API tells them. CPU is that of
all programs but TikTok's stand-in, with their children, databases included, from the run's start
until nothing runs any more; the watcher's run is asked for four times a second, and may be so much
older. Added CPU is that of ``publish_to_tiktok`` less that of the other DAG.
Its growth is what a post adds between the two largest sizes against what one adds between the two
smallest: what a run costs at any size is in neither.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
from collections.abc import Sequence
from typing import Any

from bench.orchestration_run import Videos, run_noop, run_publish
from bench.orchestration_stack import (
    BUNDLES,
    NOOP_DAG_ID,
    NOOP_FOLDER,
    POSTS_AN_ACCOUNT,
    accounts_for,
    postgresql_stack,
)
from demo.processes import exit_on_signals
from demo.stack import DAG_ID

WALL_RATIO_MAX = 1.4
ADDED_CPU_S_A_POST_MAX = 0.6
#: Of the CPU that one more post adds, between the largest sizes against the smallest: a straight
#: line has 1, wherever it begins.
GROWTH_MAX = 1.2
#: Pause before the sensor's first poll (``REELFLOW_POLL_INTERVAL_S``).
POLL_INTERVAL_S = 10


def main() -> None:
    """Run both DAGs in turn and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--posts", type=int, nargs="+", default=[100], help="a run's; or of three sizes, or more"
    )
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs of each size")
    options = parser.parse_args()
    sizes = sorted(set(options.posts))
    if len(sizes) == 2:
        parser.error("two sizes say nothing of growth: give one, or three and more")
    exit_on_signals()
    pairs = measure(sizes=sizes, rounds=options.rounds)
    summary = summarize(pairs)
    for line in summary:
        print(json.dumps(line), flush=True)
    sys.exit(0 if all(line["ok"] for line in summary) else 1)


def measure(*, sizes: Sequence[int], rounds: int) -> list[dict[str, Any]]:
    """Run the pairs, and print each.

    :raises StackError: if a run fails or posts not exactly its videos
    """
    environment = {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES),
        "NOOP_WAIT_S": str(POLL_INTERVAL_S),
        # The triggerer imports the trigger from there; ours from where this process has it.
        "PYTHONPATH": os.pathsep.join(
            [str(NOOP_FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
        "REELFLOW_BATCH_SIZE": str(max(sizes)),
    }
    pairs = []
    with postgresql_stack(
        account_count=sum(accounts_for(posts) for posts in sizes) * rounds,
        environment=environment,
        simulator_arguments=("--processing-polls", "0", "--link-polls", "0"),
    ) as stack:
        videos = Videos(stack)
        stack.wait_healthy(dag_ids=[DAG_ID, NOOP_DAG_ID])
        run_noop(stack, posts=POSTS_AN_ACCOUNT)  # not counted: it warms caches
        for round_number in range(rounds):
            for posts in sizes:
                noop = run_noop(stack, posts=posts)
                publish = run_publish(stack, videos.take(posts))
                pairs.append(
                    {"posts": posts, "round": round_number, "noop": noop, "publish": publish}
                )
                print(json.dumps(pairs[-1]), flush=True)
    return pairs


def summarize(pairs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Hold the figures against the targets: a line for each size, and one for how it grows."""
    lines = []
    for posts in sorted({pair["posts"] for pair in pairs}):
        lines.append(_of_size(posts, [pair for pair in pairs if pair["posts"] == posts]))
    if len(lines) > 2:
        lines.append(_growth(lines))
    return lines


def _growth(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    slopes = [
        (more["added_cpu_s"] - fewer["added_cpu_s"]) / (more["posts"] - fewer["posts"])
        for fewer, more in itertools.pairwise(lines)
    ]
    first, last = slopes[0], slopes[-1]
    return {
        "benchmark": "orchestration_growth",
        "posts": [line["posts"] for line in lines],
        "added_cpu_s": [line["added_cpu_s"] for line in lines],
        "cpu_s_one_more_post_adds": [round(slope, 3) for slope in slopes],
        "growth": round(last / first, 2) if first > 0 else None,
        "growth_max": GROWTH_MAX,
        "ok": first > 0 and last <= GROWTH_MAX * first,
    }


def _of_size(posts: int, pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def median(dag: str, figure: str) -> float:
        return float(statistics.median(pair[dag][figure] for pair in pairs))

    ratio = statistics.median(pair["publish"]["wall_s"] / pair["noop"]["wall_s"] for pair in pairs)
    added_s = statistics.median(pair["publish"]["cpu_s"] - pair["noop"]["cpu_s"] for pair in pairs)
    troubled = [pair["publish"] for pair in pairs if pair["publish"]["failed_tasks"]]
    return {
        "benchmark": "orchestration",
        "posts": posts,
        "rounds": len(pairs),
        "noop_s": median("noop", "wall_s"),
        "publish_s": median("publish", "wall_s"),
        "wall_ratio": round(ratio, 2),
        "wall_ratio_max": WALL_RATIO_MAX,
        "noop_cpu_s": median("noop", "cpu_s"),
        "publish_cpu_s": median("publish", "cpu_s"),
        "added_cpu_s": round(added_s, 1),
        "added_cpu_s_a_post": round(added_s / posts, 2),
        "added_cpu_s_a_post_max": ADDED_CPU_S_A_POST_MAX,
        "failed_posts": 0,  # or the bench had ended: each run publishes all of its videos
        "failed_tasks": sum(one["failed_tasks"] for one in troubled),
        "noop_failed_tasks": sum(pair["noop"]["failed_tasks"] for pair in pairs),
        "ok": ratio <= WALL_RATIO_MAX and added_s / posts <= ADDED_CPU_S_A_POST_MAX,
    }


if __name__ == "__main__":
    main()
