"""The DAG ``refresh_tiktok_tokens`` as Airflow reads it: its task, its hours, its promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG

from reelflow_provider.operators.accounts import RefreshTokensOperator


def test_it_runs_every_six_hours_one_at_a_time(dag: DAG, as_scheduled: Any) -> None:
    runs = as_scheduled.iter_dagrun_infos_between(
        pendulum.datetime(2026, 3, 29), pendulum.datetime(2026, 3, 30)
    )
    assert [run.run_after for run in runs] == [
        datetime(2026, 3, 29, hour, 45, tzinfo=UTC) for hour in (0, 6, 12, 18)
    ]
    assert (dag.catchup, dag.max_active_runs) == (False, 1)


def test_one_task_renews_what_would_end_before_the_next_run(dag: DAG) -> None:
    (task,) = dag.tasks
    assert isinstance(task, RefreshTokensOperator)
    assert task.ahead > timedelta(hours=6)
    assert task.warn_ahead >= timedelta(days=7)
