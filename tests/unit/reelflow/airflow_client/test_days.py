"""The days of a backfill: those that Airflow's dry run names, as the runs that they become."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reelflow.airflow_client.api import AirflowApi
from reelflow.airflow_client.behavior import ReprocessBehavior
from reelflow.airflow_client.days import backfill_days
from reelflow.services.backfill_rehearsal import BackfillDay
from tests.airflow_server import DAY, TOKEN, AirflowServer

NONE, FAILED, COMPLETED = ReprocessBehavior
NOV_9 = datetime(2026, 11, 9, tzinfo=UTC)


def days(
    airflow: AirflowServer,
    first: datetime,
    last: datetime,
    behavior: ReprocessBehavior = NONE,
) -> list[BackfillDay]:
    with AirflowApi(airflow.url, TOKEN) as api:
        return backfill_days(api, first, last, behavior)


def run_ids(found: list[BackfillDay]) -> list[str]:
    return [day.run.run_id for day in found if day.skipped_because is None]


def test_a_day_without_a_run_is_run_under_the_id_that_airflow_gives_a_backfill(
    airflow: AirflowServer,
) -> None:
    (day,) = days(airflow, NOV_9 + DAY, NOV_9 + DAY + timedelta(hours=23))
    assert (day.run.run_id, day.run.start, day.run.end, day.skipped_because) == (
        "backfill__2026-11-10T00:00:00+00:00",
        NOV_9,
        NOV_9 + DAY,
        None,
    )


def test_days_that_are_not_over_are_no_part_of_it(airflow: AirflowServer) -> None:
    airflow.now = NOV_9 + 2 * DAY + timedelta(seconds=1)
    found = days(airflow, NOV_9 + DAY, NOV_9 + 9 * DAY)
    assert [day.run.start for day in found] == [NOV_9, NOV_9 + DAY]


@pytest.mark.parametrize("behavior", ReprocessBehavior)
@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_day_that_is_not_over_is_no_part_of_it_though_somebody_made_a_run_of_it(
    airflow: AirflowServer, behavior: ReprocessBehavior, state: str
) -> None:
    airflow.now = NOV_9 + DAY + timedelta(hours=12)
    airflow.add_run(NOV_9 + DAY, run_id="by hand", state=state)
    found = days(airflow, NOV_9 + DAY, NOV_9 + 2 * DAY, behavior)
    assert [day.run.start for day in found] == [NOV_9]


@pytest.mark.parametrize(
    ("behavior", "taken"), [(NONE, []), (FAILED, ["red"]), (COMPLETED, ["green", "red"])]
)
def test_a_day_with_a_run_is_run_again_as_the_behaviour_says_under_its_own_id(
    airflow: AirflowServer, behavior: ReprocessBehavior, taken: list[str]
) -> None:
    airflow.add_run(NOV_9, run_id="green")
    airflow.add_run(NOV_9 + DAY, run_id="red", state="failed")
    airflow.add_run(NOV_9 + 2 * DAY, run_id="now", state="running")
    found = days(airflow, NOV_9 + DAY, NOV_9 + 4 * DAY, behavior)
    assert run_ids(found) == [*taken, "backfill__2026-11-13T00:00:00+00:00"]
    why = {day.run.run_id: day.skipped_because for day in found if day.skipped_because}
    assert why["now"] == "its run now is running"
    if behavior is NONE:
        assert why["green"] == (
            "its run green ended (success), and --reprocess-behavior is none: completed takes it "
            "again"
        )


def test_a_run_that_is_cleared_keeps_the_interval_that_it_has(airflow: AirflowServer) -> None:
    airflow.add_run(
        NOV_9,
        run_id="by hand",
        data_interval_start="2026-11-08T00:00:00Z",
        data_interval_end="2026-11-09T00:00:00Z",
    )
    (day,) = days(airflow, NOV_9 + DAY, NOV_9 + DAY, COMPLETED)
    assert (day.run.start, day.run.end) == (NOV_9 - DAY, NOV_9)


def test_runs_that_take_no_days_place_are_no_days(airflow: AirflowServer) -> None:
    airflow.add_run(None, run_id="by an asset")
    airflow.add_run(NOV_9 + timedelta(hours=3), run_id="by hand")
    found = days(airflow, NOV_9 + DAY, NOV_9 + 2 * DAY)
    assert [day.run.run_id for day in found] == [
        "backfill__2026-11-10T00:00:00+00:00",
        "backfill__2026-11-11T00:00:00+00:00",
    ]


def test_runs_are_read_page_by_page(airflow: AirflowServer) -> None:
    airflow.maximum_page_limit = 2
    made = [airflow.add_run(NOV_9 + number * DAY) for number in range(5)]
    assert run_ids(days(airflow, NOV_9 + DAY, NOV_9 + 5 * DAY, COMPLETED)) == made
