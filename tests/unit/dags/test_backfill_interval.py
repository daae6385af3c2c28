"""What a backfill's plan believes of the DAG's timetable, and of the runs that Airflow makes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pendulum
import pytest
from airflow._shared.timezones import timezone
from airflow.cli import cli_parser
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable
from airflow.timetables.base import TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable as SchedulersTimetable
from airflow.utils.types import DagRunType

from reelflow.airflow_client.answers import DAG_ID
from reelflow.airflow_client.behavior import ReprocessBehavior
from reelflow.airflow_client.days import INTERVAL, backfill_command, new_run


def test_a_days_run_is_the_one_that_airflows_timetable_gives(bag: DagBag) -> None:
    schedule = bag.dags[DAG_ID].timetable
    assert isinstance(schedule, AssetOrTimeSchedule)
    timetable = schedule.timetable
    assert isinstance(timetable, CronTriggerTimetable)
    assert timetable.interval == INTERVAL
    scheduler = SchedulersTimetable(
        timetable.expression, timezone=timetable.timezone, interval=timetable.interval
    )
    end = pendulum.datetime(2026, 11, 10, tz="UTC")
    info = scheduler.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(end, end, catchup=True)
    )
    assert info is not None
    assert info.logical_date is not None
    expected = new_run(datetime.fromisoformat(info.logical_date.isoformat()))
    assert (expected.start, expected.end) == (info.data_interval.start, info.data_interval.end)
    assert expected.run_id == DagRun.generate_run_id(
        run_type=DagRunType.BACKFILL_JOB,
        logical_date=info.logical_date,
        run_after=info.run_after,
    )


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York"])
def default_timezone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each of several values of Airflow's [core] default_timezone."""
    timezone.initialize(request.param)
    yield
    timezone.initialize("UTC")


@pytest.mark.usefixtures("default_timezone")
@pytest.mark.parametrize("behavior", ReprocessBehavior)
def test_airflow_reads_of_the_printed_command_what_was_planned(
    behavior: ReprocessBehavior,
) -> None:
    start = datetime(2026, 11, 10, tzinfo=UTC)
    end = start + timedelta(days=2, hours=3)
    airflow, *words = shlex.split(backfill_command(start, end, behavior))
    read = cli_parser.get_parser().parse_args(words)
    assert airflow == "airflow"
    assert (read.from_date, read.to_date) == (start, end)
    assert (read.dag_id, read.reprocess_behavior) == (DAG_ID, behavior)
