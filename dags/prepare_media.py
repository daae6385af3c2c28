"""Prepare media ahead of time: of posts that are not due yet or held, and of none so far.

**What.** Each post is validated, analysed if its account asks for it, its metadata stored, its
cover and the pictures to choose another cover from made. Next week's bad file is rejected today,
and whoever approves a post has pictures to look at. Uploads that no post publishes yet are
measured and get a picture. Nothing is sent.

**When.** Whenever such media wait: a watcher wakes the DAG. What is due is prepared by
`publish_to_tiktok` itself, by the same stages: it finds done what was done here, and never waits
for it.

**Safe to clear.** Any task, at any time: every stage asks the ledger first, does nothing when its
work is done, and leaves alone what a run publishes by then.

**When it is red.** A `validate` or `generate_thumbnail` that failed names each broken rule and its
fix: the post is rejected, or it is held and its release would reject it. What failed for another
reason is tried again every hour for a day, and in any case when the post is published. The whole
story of a post: `reelflow posts show ID`.
"""

from __future__ import annotations

from airflow.sdk import dag, task_group

from reelflow_provider.assets import MEDIA
from reelflow_provider.dag_defaults import EVERY_DAG, NO_DRY_RUN, WHEN_IDLE, Limits
from reelflow_provider.operators.media import (
    ExtractMetadataOperator,
    FindUnpreparedMediaOperator,
    GenerateThumbnailOperator,
    MeasureUploadsOperator,
    ValidateMediaOperator,
)

limits = Limits.load()


@dag(
    **EVERY_DAG,
    schedule=[MEDIA],
    # There is time: what is due goes first, and finds workers that are free.
    max_active_runs=1,
    max_active_tasks=limits.max_tasks_ahead,
    dagrun_timeout=limits.run_timeout,
    params=NO_DRY_RUN,
    default_args=limits.task_args(**limits.media_args(), **WHEN_IDLE),
    doc_md=__doc__,
)
def prepare_media() -> None:
    """Wire the stages; what each does is told by its operator."""

    # What the stages find is in the ledger, as for the DAG that publishes.
    @task_group(default_args={"do_xcom_push": False})
    def prepare_post(post_id: int) -> None:
        validate = ValidateMediaOperator(task_id="validate", post_id=post_id, ahead=True)
        metadata = ExtractMetadataOperator(task_id="extract_metadata", post_id=post_id, ahead=True)
        thumbnail = GenerateThumbnailOperator(
            task_id="generate_thumbnail", post_id=post_id, ahead=True
        )
        validate >> [metadata, thumbnail]

    MeasureUploadsOperator(task_id="measure_uploads", do_xcom_push=False)
    prepare_post.expand(post_id=FindUnpreparedMediaOperator(task_id="find_unprepared_media").output)


prepare_media()
