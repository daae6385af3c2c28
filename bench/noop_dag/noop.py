"""The graph of `publish_to_tiktok` with tasks that do nothing: what Airflow itself costs."""

from __future__ import annotations

import pendulum
from airflow.sdk import dag, task, task_group
from noop_wait import NoopSensor

POSTS = 20


@task
def find() -> list[int]:
    """Hand out the work, as ids."""
    return list(range(POSTS))


@task
def work(post_id: int) -> int:
    """Do nothing with a post."""
    return post_id


@task(trigger_rule="all_done")
def finish() -> None:
    """Do nothing when all posts are done."""


@task_group
def each_post(post_id: int) -> None:
    """Do nothing with one post, stage by stage."""
    validated = work.override(task_id="validate")(post_id)
    seen = [
        work.override(task_id="extract_metadata")(validated),
        work.override(task_id="generate_thumbnail")(validated),
    ]
    uploaded = work.override(task_id="upload")(post_id)
    seen >> uploaded
    waited = NoopSensor(task_id="wait")
    uploaded >> waited >> work.override(task_id="clean_up")(post_id)


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"weight_rule": "upstream"},
    tags=["bench"],
    doc_md=__doc__,
)
def noop() -> None:
    """Find, do each post, expire, summarize."""
    posts = each_post.expand(post_id=find())
    posts >> finish.override(task_id="expire")() >> finish.override(task_id="summarize")()


noop()
