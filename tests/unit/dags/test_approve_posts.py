"""The DAG ``approve_posts`` as Airflow reads it: its graph, its schedule, its promises."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, AssetAll

from reelflow.domain.approval import APPROVAL_TIMEOUT_MAX_H
from reelflow.services.approval.finding import PACE
from reelflow_provider.assets import APPROVALS
from reelflow_provider.operators.approval import AskForApprovalOperator
from reelflow_provider.triggers.approvals import ASKING_TASK, ApprovalsTrigger
from tests.unit.dags.conftest import edges_of

FIND = "find_posts_to_approve"


def test_one_task_finds_the_posts_and_one_for_each_asks(dag: DAG, as_scheduled: Any) -> None:
    assert edges_of(dag) == edges_of(as_scheduled) == {(FIND, ASKING_TASK)}
    asking = dag.get_task(ASKING_TASK)
    assert asking.is_mapped
    assert asking.operator_class is AskForApprovalOperator
    assert asking.map_index_template == AskForApprovalOperator.LABEL


def test_it_runs_whenever_posts_wait_and_by_no_clock(dag: DAG, as_scheduled: Any) -> None:
    assert dag.timetable.asset_condition == AssetAll(APPROVALS)
    ((_, asset),) = as_scheduled.timetable.asset_condition.iter_assets()
    (watcher,) = asset.watchers
    expected = "reelflow_provider.triggers.approvals.ApprovalsTrigger"
    assert watcher.trigger["classpath"] == expected
    assert ApprovalsTrigger.dag_id == dag.dag_id


def test_no_run_ends_before_its_questions_do(dag: DAG) -> None:
    assert dag.dagrun_timeout is not None
    assert dag.dagrun_timeout >= timedelta(hours=APPROVAL_TIMEOUT_MAX_H + 1)


def test_runs_that_wait_for_people_never_are_so_many_that_no_other_starts(dag: DAG) -> None:
    longest, age, runs = timedelta(hours=APPROVAL_TIMEOUT_MAX_H), timedelta(), 0
    while age < longest:  # nobody ever answers, and there always is another post
        runs += 1
        age += PACE * runs
    assert runs < dag.max_active_runs
