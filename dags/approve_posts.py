"""Ask people whether posts may go that are held for that.

**What.** Each post that is HELD for what a person can settle waits under *Required Actions*, with
its pictures, its caption, what was checked, and what its creator offers now. Approve lets it go at
its time, with the privacy level and the cover that are chosen there. Reject cancels it. Not now
asks again in an hour.

**When.** Whenever such posts are there: a watcher wakes the DAG. A run waits until its posts are
answered for, in a state that holds no worker; posts that come meanwhile have runs of their own,
fewer the more of them wait. Without an answer for a day (`REELFLOW_APPROVAL_TIMEOUT_H`, or the
account's own time) the post stays held and is asked about anew, or is cancelled, as its account
says.

**Safe to clear.** Any task, at any time. What was settled stays so. A task that has asked does not
ask a second time, because its old text would be shown: it is skipped, and another run asks, about
the post as it is now. So it is after an answer that cannot be used, and after a run that is deleted
or marked by hand, within two minutes.

**When it is red.** The ledger or its settings could not be used: the log of the task says why. Its
post stays held, and is asked about again. The whole story of a post: `reelflow posts show ID`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag

from reelflow_provider.assets import APPROVALS
from reelflow_provider.dag_defaults import EVERY_DAG, NO_DRY_RUN, Limits
from reelflow_provider.operators.approval import (
    AskForApprovalOperator,
    FindPostsToApproveOperator,
)

limits = Limits.load()


@dag(
    **EVERY_DAG,
    schedule=[APPROVALS],
    # Runs wait for people. The watcher makes fewer of them the more there are: of a hundred that
    # wait, the next comes after a hundred minutes, so these never are enough to stop new ones.
    max_active_runs=150,
    # What waits for an answer is not counted; what asks is quick.
    max_active_tasks=3,
    # No question waits longer than a week, and its answer is done with within the hour.
    dagrun_timeout=timedelta(days=8),
    params=NO_DRY_RUN,
    default_args=limits.task_args(),
    doc_md=__doc__,
)
def approve_posts() -> None:
    """Wire the two tasks; what each does is told by its operator."""
    AskForApprovalOperator.partial(
        task_id="ask_for_approval",
        map_index_template=AskForApprovalOperator.LABEL,
        doc_md=AskForApprovalOperator.TASK_DOC,
    ).expand(post_id=FindPostsToApproveOperator(task_id="find_posts_to_approve").output)


approve_posts()
