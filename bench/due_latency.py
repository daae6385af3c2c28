"""How long after its time a post begins to be uploaded, when nothing else is going on.

Prints one JSON object and exits with 1 if the target is missed::

    python -m bench.due_latency [--posts 24] [--gap-s 25]

The stack of ``bench.orchestration``, on PostgreSQL. Posts wished for at random moments, one after
another with a pause between, lie ready in the ledger; nobody wakes the DAG but its own watcher. The
figure is from a post's ``publish_at`` to its step to UPLOADING in the audit trail.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select

from bench.orchestration_run import Videos
from bench.orchestration_stack import BenchStack, accounts_for, postgresql_stack
from demo.processes import exit_on_signals
from demo.stack import DAG_ID
from demo.waiting import wait_until
from reelflow.domain.post import PostState
from reelflow.ledger.ledger import utc_now
from reelflow.ledger.models import AuditEntry, Post

P95_MAX_S = 12.0
#: For the run that registers the files and the one that prepares them.
_LEAD_S = 120.0
_DEADLINE_S = 300.0


def main() -> None:
    """Let posts become due, and print how late they began."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=24)
    parser.add_argument("--gap-s", type=float, default=25, help="shortest pause between two posts")
    options = parser.parse_args()
    exit_on_signals()
    with postgresql_stack(account_count=accounts_for(options.posts)) as stack:
        stack.wait_healthy(dag_ids=[DAG_ID, "prepare_media"])
        late_s = sorted(measure(stack, options.posts, options.gap_s))
    p95_s = late_s[math.ceil(0.95 * len(late_s)) - 1]
    figures = {
        "benchmark": "due_latency",
        "posts": len(late_s),
        "seconds": late_s,
        "median_s": round(statistics.median(late_s), 1),
        "p95_s": p95_s,
        "p95_s_max": P95_MAX_S,
        "ok": p95_s <= P95_MAX_S,
    }
    print(json.dumps(figures), flush=True)
    sys.exit(0 if figures["ok"] else 1)


def measure(stack: BenchStack, posts: int, gap_s: float) -> Sequence[float]:
    """Return how many seconds after its time each post began."""
    moments = _moments(posts, gap_s)
    _drop(stack, moments)
    wait_until(
        lambda: _count(stack, PostState.READY) == posts,
        deadline_s=_LEAD_S,
        waiting_for="the files to be registered before the first is due",
        check=stack.check_alive,
        interval_s=1.0,
    )
    ends_in_s = (moments[-1] - utc_now()).total_seconds()
    wait_until(
        lambda: _count(stack, PostState.PUBLISHED) == posts,
        deadline_s=ends_in_s + _DEADLINE_S,
        waiting_for="all posts to be published",
        check=stack.check_alive,
        interval_s=5.0,
    )
    with stack.ledger.read() as session:
        began = session.execute(
            select(Post.publish_at, func.min(AuditEntry.at))
            .join(AuditEntry, AuditEntry.post_id == Post.id)
            .where(AuditEntry.to_state == PostState.UPLOADING)
            .group_by(Post.id, Post.publish_at)
        )
        return [round((at - wished_at).total_seconds(), 1) for wished_at, at in began if wished_at]


def _moments(posts: int, gap_s: float) -> list[datetime]:
    """Return random moments, each after the work on the one before."""
    moment = utc_now() + timedelta(seconds=_LEAD_S)
    moments = []
    for _ in range(posts):
        moments.append(moment)
        moment += timedelta(seconds=gap_s * random.uniform(1, 1.5))
    return moments


def _drop(stack: BenchStack, moments: Sequence[datetime]) -> None:
    videos = Videos(stack).take(len(moments))
    for moment, (account, name, content) in zip(moments, videos, strict=True):
        inbox = stack.inbox / account
        (inbox / f"{name}.json").write_text(json.dumps({"publish_at": moment.isoformat()}))
        (inbox / name).write_bytes(content)


def _count(stack: BenchStack, state: PostState) -> int:
    with stack.ledger.read() as session:
        query = select(func.count()).select_from(Post).where(Post.state == state)
        return session.scalar(query) or 0


if __name__ == "__main__":
    main()
