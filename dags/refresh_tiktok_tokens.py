"""Keep the access to every account alive, and say in time where only its creator can.

**What.** Every access token that would end before the next run is renewed, one process at a time,
as tasks that publish do. So accounts that post seldom keep working tokens, and access that a
creator took away is found before a post is due. One account's trouble stops no other.

**When.** Every six hours. New accounts are found by themselves.

**Safe to clear.** At any time: tokens that were renewed are left alone.

**When it is red.** `refresh_tokens` names each account that must be connected again, with the
command: its access ends within two weeks and only its creator can renew it; it ended, which is told
for a day and for as long as posts wait for it; or its tokens cannot be read or renewed, with what
is wrong. TikTok out of reach is no reason: that is logged, and whoever uses the account renews its
token as well. See the accounts with `reelflow accounts list`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag

from reelflow_provider.dag_defaults import EVERY_DAG, NO_DRY_RUN, Limits
from reelflow_provider.operators.accounts import RefreshTokensOperator

limits = Limits.load()


@dag(
    **EVERY_DAG,
    schedule=CronTriggerTimetable("45 */6 * * *", timezone="UTC"),
    max_active_runs=1,
    dagrun_timeout=limits.run_timeout,
    params=NO_DRY_RUN,
    default_args=limits.task_args(),
    doc_md=__doc__,
)
def refresh_tiktok_tokens() -> None:
    """Wire the task; what it does is told by its operator."""
    RefreshTokensOperator(
        task_id="refresh_tokens",
        # Until the next run, and an hour more should that be late.
        ahead=timedelta(hours=7),
        warn_ahead=timedelta(days=14),
    )


refresh_tiktok_tokens()
