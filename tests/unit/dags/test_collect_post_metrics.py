"""The DAG ``collect_post_metrics`` as Airflow reads it: its graph, its hour, its promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, TriggerRule

from reelflow_provider.assets import COLLECTED_METRICS, POST_METRICS
from tests.unit.dags.conftest import edges_of

COLLECT, MISSING = "collect_post_metrics", "collect_missing_metrics"


def test_what_can_be_had_is_announced_before_anything_may_fail_the_run(
    dag: DAG, as_scheduled: Any
) -> None:
    assert edges_of(dag) == edges_of(as_scheduled) == {(COLLECT, MISSING)}
    for task in dag.tasks:
        assert (task.inlets, task.outlets) == ([POST_METRICS], [COLLECTED_METRICS])


def test_collecting_that_failed_is_hidden_by_no_task_after_it(dag: DAG) -> None:
    assert dag.get_task(MISSING).trigger_rule is TriggerRule.ALL_SUCCESS


def test_it_runs_daily_when_the_midnights_posts_have_their_links(
    dag: DAG, as_scheduled: Any
) -> None:
    runs = as_scheduled.iter_dagrun_infos_between(
        pendulum.datetime(2026, 3, 28, 12), pendulum.datetime(2026, 3, 30, 12)
    )
    assert [run.run_after for run in runs] == [
        datetime(2026, 3, day, 1, 10, tzinfo=UTC) for day in (29, 30)
    ]
    assert (dag.catchup, dag.max_active_runs) == (False, 1)


def test_an_outage_of_more_than_an_hour_is_waited_for(dag: DAG) -> None:
    task = dag.get_task(MISSING)
    assert task.retries is not None
    assert task.retry_delay * (2**task.retries - 1) > timedelta(hours=1)
