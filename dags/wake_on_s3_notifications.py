"""Wake `publish_to_tiktok` when S3 says that something came into the inbox: optional.

**What.** Takes the notifications that a bucket sends to an SQS queue, lets what came be quiet for
as long as the inbox asks for, and wakes the DAG that publishes. What a message says is not used:
that DAG lists the inbox and asks the ledger. So a lost, doubled, late or forged message changes
nothing but the moment.

**When.** Only where `REELFLOW_SQS_QUEUE_URL` names a queue; without it there is no such DAG, and
nobody pays for what it imports. The inbox is listed every few seconds in any case; with a queue,
`REELFLOW_WATCH_INTERVAL_S` may be minutes.

**Safe to clear.** Any task, at any time: it wakes a run that finds nothing to do.

**When it is red.** No file is lost: the inbox is listed all the same. Look at the log of the
triggerer for what AWS says of the queue.
"""

from __future__ import annotations

import os

if os.environ.get("REELFLOW_SQS_QUEUE_URL"):
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.providers.standard.sensors.time_delta import WaitSensor
    from airflow.sdk import dag

    from reelflow_provider.assets import UPLOADS
    from reelflow_provider.dag_defaults import EVERY_DAG, NO_DRY_RUN, Limits
    from reelflow_provider.s3_notifications import quiet_time, s3_notifications

    limits = Limits.load()

    @dag(
        **EVERY_DAG,
        schedule=[s3_notifications()],
        # What comes while one run waits makes one more run, however many files it is.
        max_active_runs=1,
        dagrun_timeout=limits.run_timeout,
        params=NO_DRY_RUN,
        default_args=limits.task_args(),
        doc_md=__doc__,
    )
    def wake_on_s3_notifications() -> None:
        """Wait, without a worker, and wake."""
        wait_until_quiet = WaitSensor(
            task_id="wait_until_quiet",
            time_to_wait=quiet_time(),
            deferrable=True,
            doc_md="**What.** Waits, without a worker, until what came is quiet.\n\n"
            "**Safe to clear.** It waits once more.\n\n"
            "**When it is red.** The log of the triggerer says why. No file is lost: the inbox is "
            "listed all the same.",
        )
        # A task of its own: what a triggerer ends by itself announces nothing.
        wake_publishing = EmptyOperator(
            task_id="wake_publishing",
            outlets=[UPLOADS],
            doc_md="**What.** Wakes `publish_to_tiktok`.\n\n"
            "**Safe to clear.** It wakes a run that finds nothing to do.\n\n"
            "**When it is red.** The log of the scheduler says why. No file is lost: the inbox is "
            "listed all the same.",
        )
        wait_until_quiet >> wake_publishing

    wake_on_s3_notifications()
