"""The graph of `publish_to_tiktok` with tasks that do nothing: what Airflow itself costs.

Started with `{"posts": 100}` it has a mapped group for each of so many posts. What it sets is set
there to the same; where results lie in XCom, each task would cost more calls of Airflow's API.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import dag, get_current_context, task, task_group
from noop_wait import NoopSensor


@task
def find() -> list[int]:
    """Hand out the work, as ids."""
    return list(range(get_current_context()["dag_run"].conf["posts"]))


@task
def work(post_id: int) -> None:
    """Do nothing with a post."""


@task(trigger_rule="all_done")
def finish() -> None:
    """Do nothing when all posts are done."""


@task_group(default_args={"do_xcom_push": False})
def each_post(post_id: int) -> None:
    """Do nothing with one post, stage by stage."""
    validated = work.override(task_id="validate")(post_id)
    seen = [
        work.override(task_id="extract_metadata")(post_id),
        work.override(task_id="generate_thumbnail")(post_id),
    ]
    uploaded = work.override(task_id="upload")(post_id)
    cleaned = work.override(task_id="clean_up")(post_id)
    validated >> seen >> uploaded >> NoopSensor(task_id="wait") >> cleaned


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_tasks=32,
    default_args={
        "retries": 3,
        "retry_delay": timedelta(seconds=15),
        "weight_rule": "upstream",
    },
    tags=["bench"],
    doc_md=__doc__,
)
def noop() -> None:
    """Find, do each post, expire, summarize."""
    posts = each_post.expand(post_id=find())
    posts >> finish.override(task_id="expire")() >> finish.override(task_id="summarize")()


noop()
