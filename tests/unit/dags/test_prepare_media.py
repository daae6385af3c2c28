"""The DAG ``prepare_media`` as Airflow reads it: its graph, its schedule, its promises."""

from __future__ import annotations

from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, AssetAll
from airflow.sdk.definitions.taskgroup import MappedTaskGroup

from reelflow_provider.assets import MEDIA
from reelflow_provider.operators.media import MediaOperator
from tests.unit.dags.conftest import edges_of

FIND = "find_unprepared_media"
#: Of what belongs to no post.
MEASURE = "measure_uploads"
#: What a task is shown under: from its beginning, or from when its work began.
LABEL = "{{ task.map_index_label(ti.try_number) }}"
STAGES = {f"prepare_post.{name}" for name in ("validate", "extract_metadata", "generate_thumbnail")}
EDGES = {
    *((FIND, name) for name in STAGES),  # the list that the group expands over
    ("prepare_post.validate", "prepare_post.extract_metadata"),
    ("prepare_post.validate", "prepare_post.generate_thumbnail"),
}


def test_the_stages_are_those_of_publishing_and_nothing_is_sent(
    dag: DAG, as_scheduled: Any
) -> None:
    assert edges_of(dag) == edges_of(as_scheduled) == EDGES
    assert {task.task_id for task in dag.tasks} == {FIND, MEASURE, *STAGES}
    assert isinstance(dag.task_group.children["prepare_post"], MappedTaskGroup)


def test_every_stage_works_ahead_of_time(dag: DAG, bag: DagBag) -> None:
    for name in STAGES:
        stage = dag.get_task(name)
        assert isinstance(stage, MediaOperator)
        assert stage.ahead
    publishing = bag.dags["publish_to_tiktok"]
    stages = [task for task in publishing.tasks if isinstance(task, MediaOperator)]
    assert [task.ahead for task in stages] == [False] * len(STAGES)


def test_it_runs_whenever_media_wait_and_by_no_clock(dag: DAG, as_scheduled: Any) -> None:
    assert dag.timetable.asset_condition == AssetAll(MEDIA)
    ((_, asset),) = as_scheduled.timetable.asset_condition.iter_assets()
    (watcher,) = asset.watchers
    assert watcher.trigger["classpath"] == "reelflow_provider.triggers.media.MediaTrigger"


def test_what_is_due_goes_first_and_finds_free_workers(dag: DAG, bag: DagBag) -> None:
    assert {task.priority_weight for task in dag.tasks} == {0}
    assert {str(task.weight_rule) for task in dag.tasks} == {"absolute"}
    assert all(task.priority_weight > 0 for task in bag.dags["publish_to_tiktok"].tasks)
    # Of the six slots that a small installation has.
    assert (dag.max_active_runs, dag.max_active_tasks) == (1, 3)


def test_every_task_of_the_group_is_shown_under_its_file_name(dag: DAG) -> None:
    labels = {task.task_id: task.map_index_template for task in dag.tasks}
    assert {name for name, label in labels.items() if label == LABEL} == STAGES
