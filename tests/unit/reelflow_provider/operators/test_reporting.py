"""What follows the end of a task that takes or judges posts stands in nobody's way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import DAG

from reelflow_provider.operators.posts import ExpireSessionsOperator, FindNewUploadsOperator
from reelflow_provider.operators.reporting import ReportingOperator

CALLBACKS = ("on_success_callback", "on_failure_callback")


def mine(_: Any) -> None:
    pass


def callbacks_of(kind: str, defaults: Any, **own: Any) -> list[str]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with DAG("tests", schedule=None, start_date=start, default_args={kind: defaults}):
        operator = FindNewUploadsOperator(task_id="find", **own)
    return [one.__name__ for one in getattr(operator, kind)]


@pytest.mark.parametrize("kind", CALLBACKS)
def test_callbacks_of_the_dags_defaults_come_before_ours(kind: str) -> None:
    assert callbacks_of(kind, mine) == ["mine", "_report"]
    assert callbacks_of(kind, [mine, mine]) == ["mine", "mine", "_report"]


@pytest.mark.parametrize("kind", CALLBACKS)
def test_those_of_the_task_come_in_their_place(kind: str) -> None:
    def own(_: Any) -> None:
        pass

    assert callbacks_of(kind, mine, **{kind: own}) == ["own", "_report"]


def test_so_do_they_before_what_remembers_announced_posts() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with DAG("tests", schedule=None, start_date=start, default_args={CALLBACKS[0]: mine}):
        operator = ExpireSessionsOperator(task_id="expire")
    found = [one.__name__ for one in operator.on_success_callback]
    assert found == ["mine", "_remember_announced"]


def test_a_task_without_any_has_ours() -> None:
    operator = ReportingOperator(task_id="one")
    assert [len(getattr(operator, kind)) for kind in CALLBACKS] == [1, 1]
