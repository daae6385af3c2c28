"""Settle every hour what is open at TikTok between the publishing runs.

**What.** TikTok is asked about every post of which it may know more: sent ones whose run has ended,
UNKNOWN ones, public ones without a link, drafts, uploads that stopped. What it says is written
down, the source of what is published deleted, the post announced. It is what `expire_sessions`
does at the end of each publishing run, for the hours in which there is none.

**When.** Every hour. What a publishing run has claimed, or an upload holds, is left to it.

**Safe to clear.** Any task, at any time: TikTok is only asked, and nothing is ever posted from
here. A cleared `tell_unsettled_posts` is green once what it named is done.

**When it is red.** `tell_unsettled_posts` names each post that does not go on by itself, with the
fix: UNKNOWN, at TikTok for more than a day, or failed by TikTok after its run had ended. A post is
named by one run only; later runs log what still waits, so that red always means something new.
`reelflow reconcile` lists all that wait. The whole story of a post: `reelflow posts show ID`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import CronTriggerTimetable, dag

from reelflow_provider.operators.settling import (
    SettlePublicationsOperator,
    TellUnsettledPostsOperator,
)
from reelflow_provider.retries import ReelflowRetryPolicy


@dag(
    # Half an hour from the daily publishing run, which settles by itself.
    schedule=CronTriggerTimetable("30 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # What one run asks, a second at the same time would ask again, out of the same budgets.
    max_active_runs=1,
    default_args={
        "owner": "reelflow",
        "retries": 3,
        "retry_delay": timedelta(seconds=15),
        "retry_exponential_backoff": 2.0,
        "retry_policy": ReelflowRetryPolicy(),
    },
    doc_md=__doc__,
    tags=["reelflow", "tiktok"],
)
def reconcile_publications() -> None:
    """Wire the tasks; what each does is told by its operator."""
    settle = SettlePublicationsOperator(task_id="settle_publications")
    tell = TellUnsettledPostsOperator(task_id="tell_unsettled_posts")
    settle >> tell


reconcile_publications()
