"""The DAG ``reconcile_publications`` as Airflow reads it: its graph, its hours, its promises."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pendulum
from airflow.sdk import DAG, TriggerRule

from reelflow_provider.assets import PUBLISHED, PUBLISHED_POSTS
from tests.unit.dags.conftest import edges_of

SETTLE, TELL = "settle_publications", "tell_unsettled_posts"


def test_what_is_settled_is_announced_before_anything_may_fail_the_run(
    dag: DAG, as_scheduled: Any
) -> None:
    assert edges_of(dag) == edges_of(as_scheduled) == {(SETTLE, TELL)}
    assert dag.get_task(SETTLE).outlets == [PUBLISHED_POSTS]
    assert dag.get_task(SETTLE).inlets == [PUBLISHED]
    assert dag.get_task(TELL).outlets == []


def test_settling_that_failed_is_hidden_by_no_task_after_it(dag: DAG) -> None:
    assert dag.get_task(TELL).trigger_rule is TriggerRule.ALL_SUCCESS


def test_it_runs_every_hour_apart_from_the_daily_run_and_one_at_a_time(
    dag: DAG, as_scheduled: Any
) -> None:
    runs = as_scheduled.iter_dagrun_infos_between(
        pendulum.datetime(2026, 3, 28, 23), pendulum.datetime(2026, 3, 29, 2)
    )
    assert [run.run_after for run in runs] == [
        datetime(2026, 3, 28, 23, 30, tzinfo=UTC),
        datetime(2026, 3, 29, 0, 30, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    ]
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
