"""Write down every day how often each published post was viewed, liked, commented and shared.

**What.** TikTok is asked for the counts of all posts that were published in the last 90 days
(`REELFLOW_METRICS_DAYS`), 20 posts a call; they are kept by day in the ledger. The counts are
TikTok's totals since a post was published: what a day added is the difference from the day before.
See them with `reelflow metrics`. The asset `reelflow_post_metrics` gets an event with the day and
with how many posts and accounts it has counts of, so that other DAGs can follow.

**When.** Daily at 01:10 UTC: a day's counts are those of the midnight before, near enough. By then
the midnight's posts are published, `reconcile_publications` has found their links at 00:30, and
`refresh_tiktok_tokens` has renewed the tokens at 00:45.

**Left out.** Posts whose video's id TikTok never told: drafts, private posts. Posts that it does
not show any more: deleted or private ones, and photos. Both are counted, and no trouble.

**Safe to clear.** At any time: today's counts are asked for again, and take the place of those of
today. TikTok gives no history, so a backfill or a cleared run of the past collects today's, and a
day on which nothing ran stays empty. After an account's trouble is over, clear
`collect_missing_metrics`: it asks only for what the run lacks.

**When it is red.** `collect_post_metrics` passes over accounts that cannot be asked, and announces
the others' counts. `collect_missing_metrics` asks them again, and names each that still lacks some:
TikTok was out of reach, or wanted to be asked later, for more than an hour; or a person must
connect the account again, because its access ended or its creator never granted `video.list`. Such
an account fails one run; later ones log it until that is done, and `reelflow metrics` shows it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag

from reelflow_provider.dag_defaults import EVERY_DAG, NO_DRY_RUN, Limits
from reelflow_provider.operators.post_metrics import (
    CollectMissingMetricsOperator,
    CollectPostMetricsOperator,
)

limits = Limits.load()


@dag(
    **EVERY_DAG,
    schedule=CronTriggerTimetable("10 1 * * *", timezone="UTC"),
    # What one run asks, a second at the same time would ask again.
    max_active_runs=1,
    dagrun_timeout=limits.run_timeout,
    params=NO_DRY_RUN,
    default_args=limits.task_args(),
    doc_md=__doc__,
)
def collect_post_metrics() -> None:
    """Wire the tasks; what each does is told by its operator."""
    collect = CollectPostMetricsOperator(task_id="collect_post_metrics")
    CollectMissingMetricsOperator(
        task_id="collect_missing_metrics",
        collected=collect.output,
        # Once more after 10, 20 and 40 minutes: an outage of TikTok's costs no day of counts.
        retry_delay=timedelta(minutes=10),
    )


collect_post_metrics()
