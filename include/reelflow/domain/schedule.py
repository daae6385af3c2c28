"""When: which posts a run may take, and when a post that could not go out is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

#: How much earlier a worker's clock may say that a run's posts are due.
_CLOCK_SLACK: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class NormalRun:
    """A scheduled, event or manual run: takes what became due up to ``run_after``.

    :param run_id: Airflow's id of the run
    :param run_after: the moment from which the run was allowed to start, UTC
    :param max_lateness: what was due longer ago than this is missed, not posted
    """

    run_id: str
    run_after: datetime
    max_lateness: timedelta

    @property
    def missed_before(self) -> datetime:
        """Posts due at this moment or before it are too late for this run."""
        return self.run_after - self.max_lateness


@dataclass(frozen=True)
class BackfillRun:
    """A backfill run: takes READY and MISSED posts that were wished for in its data interval.

    :param run_id: Airflow's id of the run
    :param start: first moment of the data interval, UTC
    :param end: first moment after the data interval, UTC
    """

    run_id: str
    start: datetime
    end: datetime


Run = NormalRun | BackfillRun


def last_wish(now: datetime) -> datetime:
    """Return the latest wished time that a run sends now; what is wished for later waits for it."""
    return now + _CLOCK_SLACK


def retry_delay(failures: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """Return the pause after the given number of failures in a row: doubled each time, capped.

    :param failures: how often the upload has failed by now, 1 or more
    """
    if failures < 1:
        raise ValueError(f"failures is {failures}; a pause follows at least one failure")
    doubled: int = 2 ** min(failures - 1, 16)
    return min(first * doubled, longest)
