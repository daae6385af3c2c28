"""The DAG ``publish_to_tiktok`` as Airflow reads it: its graph, its schedule, its promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, AssetAll, AssetOrTimeSchedule, CronTriggerTimetable, TriggerRule
from airflow.sdk.definitions.taskgroup import MappedTaskGroup

from reelflow_provider.assets import PUBLISHED_POSTS, UPLOADS
from tests.unit.dags.conftest import edges_of

#: What a task is shown under: from its beginning, or from when its work began.
LABEL = "{{ task.map_index_label(ti.try_number) }}"
GROUP = "publish_post"

#: Every edge between two stages, as the docstring of the DAG tells it.
EDGES = {
    ("find_new_uploads", "publish_post.validate"),
    ("publish_post.validate", "publish_post.extract_metadata"),
    ("publish_post.validate", "publish_post.generate_thumbnail"),
    ("publish_post.extract_metadata", "publish_post.upload_to_tiktok"),
    ("publish_post.generate_thumbnail", "publish_post.upload_to_tiktok"),
    ("publish_post.upload_to_tiktok", "publish_post.wait_for_publish"),
    ("publish_post.wait_for_publish", "publish_post.clean_up_files"),
    ("publish_post.clean_up_files", "expire_sessions"),
    ("expire_sessions", "summarize"),
    ("find_new_uploads", "summarize"),  # without a batch there is nothing to judge
}
STAGES = {name for edge in EDGES for name in edge}
#: Each task of the group also waits for the list that the group expands over.
EXPANSION = {("find_new_uploads", name) for name in STAGES if name.startswith(f"{GROUP}.")}


def test_the_stages_follow_each_other_as_designed(dag: DAG) -> None:
    assert {task.task_id for task in dag.tasks} == STAGES
    assert edges_of(dag) == EDGES | EXPANSION


def test_one_group_is_mapped_over_the_posts(dag: DAG) -> None:
    group = dag.task_group.children[GROUP]
    assert isinstance(group, MappedTaskGroup)
    assert set(group.children) == {name for name in STAGES if name.startswith(f"{GROUP}.")}


def test_bad_posts_stop_neither_the_settling_nor_the_summary(dag: DAG) -> None:
    rules = {task.task_id: task.trigger_rule for task in dag.tasks}
    assert rules == {
        **dict.fromkeys(STAGES, TriggerRule.ALL_SUCCESS),
        "expire_sessions": TriggerRule.ALL_DONE,
        "summarize": TriggerRule.ALL_DONE,
    }


def test_it_runs_daily_at_midnight_and_whenever_work_waits(dag: DAG) -> None:
    schedule = dag.timetable
    assert isinstance(schedule, AssetOrTimeSchedule)
    assert schedule.asset_condition == AssetAll(UPLOADS)
    assert schedule.timetable == CronTriggerTimetable(
        "0 0 * * *", timezone="UTC", interval=timedelta(days=1)
    )


def test_its_next_two_runs_start_at_midnight_over_the_day_before(as_scheduled: Any) -> None:
    runs = as_scheduled.iter_dagrun_infos_between(
        pendulum.datetime(2026, 3, 28, 12), pendulum.datetime(2026, 3, 30, 12)
    )
    assert [(run.run_after, run.data_interval.start, run.data_interval.end) for run in runs] == [
        (midnight, midnight - timedelta(days=1), midnight)
        for midnight in (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC))
    ]


def test_days_before_it_was_switched_on_are_left_to_backfills(dag: DAG, as_scheduled: Any) -> None:
    assert dag.catchup is False
    assert as_scheduled.timetable.periodic  # what Airflow lets be backfilled


def test_the_watcher_reaches_the_triggerer(as_scheduled: Any) -> None:
    ((_, asset),) = as_scheduled.timetable.asset_condition.iter_assets()
    (watcher,) = asset.watchers
    assert watcher.trigger["classpath"] == "reelflow_provider.triggers.uploads.UploadsTrigger"


def test_a_begun_post_goes_before_the_next_one(dag: DAG) -> None:
    assert {str(task.weight_rule) for task in dag.tasks} == {"upstream"}


def test_an_upload_ends_before_the_hour_of_its_url_does(dag: DAG) -> None:
    limit = dag.get_task("publish_post.upload_to_tiktok").execution_timeout
    assert limit is not None
    assert timedelta(minutes=30) < limit < timedelta(hours=1)


def test_a_backfill_of_two_months_leaves_room_for_a_run_of_an_event(dag: DAG) -> None:
    assert dag.max_active_runs is not None
    assert dag.max_active_runs > 62


def test_every_task_of_the_group_is_shown_under_its_file_name(dag: DAG) -> None:
    # A group hands no template down to its tasks.
    labels = {task.task_id: task.map_index_template for task in dag.tasks}
    assert {name for name, label in labels.items() if label == LABEL} == {
        name for name in STAGES if name.startswith(f"{GROUP}.")
    }


def test_only_tasks_that_learn_of_published_posts_announce_them(dag: DAG) -> None:
    announcing = {task.task_id for task in dag.tasks if task.outlets}
    assert announcing == {"publish_post.clean_up_files", "expire_sessions"}
    assert all(dag.get_task(name).outlets == [PUBLISHED_POSTS] for name in announcing)
