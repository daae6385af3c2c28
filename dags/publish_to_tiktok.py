"""Publish the posts that are due to TikTok.

**What.** Each post is validated, its metadata stored and its thumbnail made; then it is uploaded in
chunks, followed to its final state, and its source deleted. One bad file never stops the others.

**When.** Daily at 00:00 UTC, and whenever posts are due or files wait in the inbox: a watcher
wakes the DAG. A backfill posts what was wished for in its days and was missed.

**Safe to clear.** Any task, at any time: every stage asks the ledger first and does nothing when
its work is done. Nothing is ever posted twice.

**When it is red.** `summarize` names each post that needs a person, and what to do. The whole story
of a post: `reelflow posts show ID`.

**Late.** A run that is not done half an hour after it was queued (`REELFLOW_LATE_AFTER_MIN`) is
looked at by a deadline alert: posts that are not on their way are named in the triggerer's log,
with what each waits for.

**What it takes.** No conf. What a backfill would post is told by `reelflow plan`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task_group

from reelflow_provider.assets import UPLOADS
from reelflow_provider.dag_defaults import EVERY_DAG, NO_DRY_RUN, Limits
from reelflow_provider.operators.media import (
    ExtractMetadataOperator,
    GenerateThumbnailOperator,
    ValidateMediaOperator,
)
from reelflow_provider.operators.posts import (
    CleanUpFilesOperator,
    ExpireSessionsOperator,
    FindNewUploadsOperator,
    SummarizeOperator,
)
from reelflow_provider.operators.tiktok import TikTokUploadOperator
from reelflow_provider.sensors.tiktok import TikTokPublishStatusSensor

limits = Limits.load()


@dag(
    **EVERY_DAG,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 0 * * *", timezone="UTC", interval=timedelta(days=1)),
        assets=[UPLOADS],
    ),
    # Many: claims keep their posts apart, and a slow moderation or a backfill holds up nobody.
    max_active_runs=limits.max_active_runs,
    max_active_tasks=limits.max_active_tasks,
    dagrun_timeout=limits.run_timeout,
    deadline=limits.late_alert(),
    params=NO_DRY_RUN,
    # The deepest task goes first: a post that is begun is finished before the next begins.
    default_args=limits.task_args(weight_rule="upstream"),
    doc_md=__doc__,
)
def publish_to_tiktok() -> None:
    """Wire the stages; what each does is told by its operator."""

    # What the stages find is in the ledger; in XCom it would cost each task a call of the API more.
    @task_group(default_args={"do_xcom_push": False})
    def publish_post(post_id: int) -> None:
        media = limits.media_args()
        validate = ValidateMediaOperator(task_id="validate", post_id=post_id, **media)
        metadata = ExtractMetadataOperator(task_id="extract_metadata", post_id=post_id, **media)
        thumbnail = GenerateThumbnailOperator(
            task_id="generate_thumbnail", post_id=post_id, **media
        )
        upload = TikTokUploadOperator(
            task_id="upload_to_tiktok", post_id=post_id, pool=limits.upload_pool
        )
        wait = TikTokPublishStatusSensor(task_id="wait_for_publish", post_id=post_id)
        clean_up = CleanUpFilesOperator(task_id="clean_up_files", post_id=post_id)
        validate >> [metadata, thumbnail] >> upload >> wait >> clean_up

    find = FindNewUploadsOperator(task_id="find_new_uploads")
    expire = ExpireSessionsOperator(task_id="expire_sessions", trigger_rule="all_done")
    summarize = SummarizeOperator(task_id="summarize", batch=find.output, trigger_rule="all_done")
    publish_post.expand(post_id=find.output) >> expire >> summarize


publish_to_tiktok()
