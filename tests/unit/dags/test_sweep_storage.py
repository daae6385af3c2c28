"""The DAG ``sweep_storage`` as Airflow reads it: one task, its schedule, its promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG, CronTriggerTimetable
from airflow.sdk.exceptions import ParamValidationError

from reelflow_provider.operators.storage import SweepStorageOperator
from reelflow_provider.retries import ReelflowRetryPolicy
from tests.unit.dags.conftest import edges_of


def test_it_is_one_task_and_waits_for_no_other(dag: DAG, as_scheduled: Any) -> None:
    (task,) = dag.tasks
    assert isinstance(task, SweepStorageOperator)
    assert edges_of(dag) == edges_of(as_scheduled) == set()


def test_it_runs_daily_at_a_quiet_hour_and_one_at_a_time(dag: DAG, as_scheduled: Any) -> None:
    assert dag.timetable == CronTriggerTimetable("40 3 * * *", timezone="UTC")
    runs = as_scheduled.iter_dagrun_infos_between(
        pendulum.datetime(2026, 3, 28, 12), pendulum.datetime(2026, 3, 30, 12)
    )
    assert [run.run_after for run in runs] == [
        datetime(2026, 3, day, 3, 40, tzinfo=UTC) for day in (29, 30)
    ]
    assert (dag.catchup, dag.max_active_runs) == (False, 1)


def test_it_deletes_unless_it_is_asked_for_a_dry_run(dag: DAG) -> None:
    assert dag.params.dump() == {"dry_run": False}
    for wrong in ("yes", "false", 1, None):
        with pytest.raises(ParamValidationError):
            dag.params.get_param("dry_run").resolve(value=wrong)


def test_posts_go_first_and_a_store_that_hangs_ends_the_task(dag: DAG) -> None:
    (task,) = dag.tasks
    assert (task.priority_weight, str(task.weight_rule)) == (0, "absolute")
    assert task.execution_timeout == timedelta(hours=1)
    assert task.retries == 3
    assert isinstance(task.retry_policy, ReelflowRetryPolicy)
