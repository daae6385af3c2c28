"""Delete files that nobody needs any more, before they fill the store.

**What.** Files of posts that were rejected, failed or were cancelled, once they were kept for 30
days (`REELFLOW_RETENTION_DAYS`), those in the quarantine too; and objects older than two days that
no row of the ledger names, as a crash may leave them. A file that any other post still needs stays,
and so do the inbox and uploads under way. What is deleted stands in the log, and in the story of
its post. The oldest goes first, 1,000 a run.

**When.** Daily at 03:40 UTC. To see what it would delete, and why, trigger it with `dry_run`, or
run `reelflow sweep --dry-run`.

**Safe to clear.** At any time: what is gone is not found again, and each file is looked at once
more right before it is deleted.

**When it is red.** Something could not be deleted: the error names it and why, most often a
permission in the bucket or on the disk. The rest was deleted. No post waits for this.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, Param, dag

from reelflow_provider.dag_defaults import EVERY_DAG, WHEN_IDLE, Limits
from reelflow_provider.operators.storage import SweepStorageOperator

limits = Limits.load()


@dag(
    **EVERY_DAG,
    # Hours after the midnight run, which publishes most and deletes what it published itself.
    schedule=CronTriggerTimetable("40 3 * * *", timezone="UTC"),
    # Two at once would list the same store and find the same.
    max_active_runs=1,
    dagrun_timeout=limits.run_timeout,
    params={
        "dry_run": Param(
            default=False,
            type="boolean",
            title="Dry run",
            description="Only log what would be deleted, with sizes and reasons.",
        )
    },
    default_args=limits.task_args(
        **WHEN_IDLE,
        retry_delay=timedelta(minutes=1),
        # Listing a million objects and deleting a thousand takes minutes.
        execution_timeout=timedelta(hours=1),
    ),
    doc_md=__doc__,
)
def sweep_storage() -> None:
    """Wire the one stage; what it does is told by its operator."""
    SweepStorageOperator(task_id="sweep_storage")


sweep_storage()
