"""Settle every hour what is open at TikTok between the publishing runs.

**What.** TikTok is asked about every post of which it may know more: sent ones whose run has ended,
UNKNOWN ones, public ones without a link, drafts, uploads that stopped. What it says is written
down, the source of what is published deleted, the post announced. It is what `expire_sessions`
does at the end of each publishing run, for the hours in which there is none.

Late posts are told of as well: those that are not on their way half an hour after their time
(`REELFLOW_LATE_AFTER_MIN`), also when no run knows of them.

**When.** Every hour. What a publishing run has claimed, or an upload holds, is left to it.

**Safe to clear.** Any task, at any time: TikTok is only asked, and nothing is ever posted from
here. A cleared `tell_unsettled_posts` is green once what it named is done.

**When it is red.** `tell_unsettled_posts` names each post that does not go on by itself, with the
fix: UNKNOWN, at TikTok for more than a day, or failed by TikTok after its run had ended. A post is
named by one run only; later runs log what still waits, so that red always means something new.
`tell_late_posts` names, once for each time that it is due, each post that is late while nothing
known holds it up: no run has taken it, or no worker has begun it. It logs those that wait for a
budget, an outage or a person.
`reelflow reconcile` lists all that wait. The whole story of a post: `reelflow posts show ID`.
"""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, dag

from reelflow_provider.dag_defaults import EVERY_DAG, NO_DRY_RUN, Limits
from reelflow_provider.operators.late_posts import TellLatePostsOperator
from reelflow_provider.operators.settling import (
    SettlePublicationsOperator,
    TellUnsettledPostsOperator,
)

limits = Limits.load()


@dag(
    **EVERY_DAG,
    # Half an hour from the daily publishing run, which settles by itself.
    schedule=CronTriggerTimetable("30 * * * *", timezone="UTC"),
    # What one run asks, a second at the same time would ask again, out of the same budgets.
    max_active_runs=1,
    dagrun_timeout=limits.run_timeout,
    params=NO_DRY_RUN,
    default_args=limits.task_args(),
    doc_md=__doc__,
)
def reconcile_publications() -> None:
    """Wire the tasks; what each does is told by its operator."""
    settle = SettlePublicationsOperator(task_id="settle_publications")
    tell = TellUnsettledPostsOperator(task_id="tell_unsettled_posts")
    settle >> tell
    TellLatePostsOperator(task_id="tell_late_posts")  # also when TikTok cannot be asked


reconcile_publications()
