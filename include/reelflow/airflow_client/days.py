"""The days of a backfill: which of them Airflow runs, as which run, and why it skips the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from reelflow.airflow_client.answers import DAG_ID
from reelflow.airflow_client.api import AirflowApi, DagRun
from reelflow.airflow_client.behavior import ReprocessBehavior
from reelflow.domain.schedule import BackfillRun
from reelflow.services.backfill_rehearsal import BackfillDay

#: The data interval of the DAG's timetable; Airflow's dry run tells only where one starts.
INTERVAL: Final = timedelta(days=1)
_IN_FLIGHT: Final = frozenset({"queued", "running"})


def backfill_days(
    airflow: AirflowApi, start: datetime, end: datetime, behavior: ReprocessBehavior
) -> list[BackfillDay]:
    """Return the days of a range, oldest first; those that are not over yet are no part of it.

    :param start: as ``airflow backfill create --from-date`` takes it: the earliest end of a day
    :param end: the latest end of a day; both in UTC
    """
    airflow.check_dag()
    chosen = set(airflow.dry_run(start, end, behavior))
    # Somebody may have made a run of a day that is not over: no behaviour brings that back.
    over = set(airflow.dry_run(start, end, ReprocessBehavior.COMPLETED))
    # What the dry run leaves out has a run: only such a day can be skipped.
    first, last = start - INTERVAL, end - INTERVAL
    runs = {
        run.logical_date: run
        for run in airflow.runs(first, last)
        if _is_a_day(run) and (run.logical_date in over or run.state in _IN_FLIGHT)
    }
    return [
        _day(date, runs.get(date), None if date in chosen else behavior)
        for date in sorted(chosen | set(runs))
    ]


def backfill_command(start: datetime, end: datetime, behavior: ReprocessBehavior) -> str:
    """Return Airflow's command that runs these days.

    Its times are in UTC: a mere date it would read in Airflow's own default time zone.
    """
    return (
        f"airflow backfill create --dag-id {DAG_ID} --reprocess-behavior {behavior} "
        f"--from-date {start.isoformat()} --to-date {end.isoformat()}"
    )


def new_run(date: datetime) -> BackfillRun:
    """Return the run that Airflow makes for a day without one.

    :param date: its logical date, in UTC
    """
    end = date + INTERVAL
    return BackfillRun(f"backfill__{end.isoformat()}", date, end)


def _is_a_day(run: DagRun) -> bool:
    """Whether a run takes the place of a daily one; a manual run has any time as its date."""
    date = run.logical_date.astimezone(UTC)
    return date == date.replace(hour=0, minute=0, second=0, microsecond=0)


def _day(date: datetime, run: DagRun | None, skipped_by: ReprocessBehavior | None) -> BackfillDay:
    """Return a day with its run: reprocessing clears the one that there is, and keeps its id.

    :param skipped_by: the behaviour that leaves the day out; None if it is run
    """
    new = new_run(date)
    if run is None:
        return BackfillDay(new)
    kept = BackfillRun(run.run_id, run.start or new.start, run.end or new.end)
    return BackfillDay(kept, None if skipped_by is None else _why_skipped(run, skipped_by))


def _why_skipped(run: DagRun, behavior: ReprocessBehavior) -> str:
    if run.state in _IN_FLIGHT:
        return f"its run {run.run_id} is {run.state}"
    taken = "completed" if run.state == "success" else "failed or completed"
    return (
        f"its run {run.run_id} ended ({run.state}), and --reprocess-behavior is {behavior}: "
        f"{taken} takes it again"
    )
