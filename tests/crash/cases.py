"""What the matrix consists of: a case for each point and for what follows the kill there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from itertools import cycle

from tests.crash.arbiter import Arrival
from tests.crash.points import Kind, Point

#: Tries of a task by the policy of the plugins folder: one, and one retry.
TRIES = 2


class FollowUp(StrEnum):
    """What comes after the kill."""

    RETRY = "retry"  # by Airflow itself
    CLEAR = "clear"  # of the task, killed in each of its tries, and of what follows it
    BACKFILL = "backfill"  # over the post's day, after a first one that was killed in each try
    RACE = "race"  # an older run of the post, or another run, begins at the moment of the kill


@dataclass
class Case:
    """One post that is killed at one point, and what happens to it then.

    :param point: None for a post that is only watched
    :param day: the past day that the post is dated with; None for now
    :param file_name: of the post, its identity in the ledger and among the arrivals
    :param sha256: of the post's bytes
    :param run_id: the run whose tasks belong to the case, if its kind works on runs
    :param prelude: kills that make the case possible; :attr:`kills` are those it is about
    :param is_followed: what was to come after the kill was begun
    :param has_raced: the other run of a race did its work on the post after the kill
    :param was_held: its account had to be connected again
    :param at_kill: called right before the kill, while the process waits for its answer
    """

    kind: Kind
    point: Point | None
    follow_up: FollowUp
    account: str = ""
    day: date | None = None
    file_name: str = ""
    sha256: str = ""
    size_bytes: int = 0
    run_id: str | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    prelude: list[Arrival] = field(default_factory=list)
    kills: list[Arrival] = field(default_factory=list)
    is_followed: bool = False
    has_raced: bool = False
    was_held: bool = False
    at_kill: Callable[[Case], None] = lambda _: None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def is_taken(self) -> bool:
        """Whether a task of its own has worked on the post."""
        return any(one.post_id is not None for one in self.arrivals)

    @property
    def is_struck(self) -> bool:
        """Whether the process was killed at the point."""
        return bool(self.kills)

    @property
    def is_spent(self) -> bool:
        """Whether every try of the task was killed."""
        return len(self.kills) >= TRIES

    @property
    def is_played(self) -> bool:
        """Whether the process was killed at the point, and all that was to follow came true."""
        match self.follow_up:
            case FollowUp.RETRY:
                return self.is_struck
            case FollowUp.RACE:
                return self.is_struck and self.has_raced
            case _:
                return self.is_struck and self.is_followed

    @property
    def is_to_follow(self) -> bool:
        """Whether somebody else than Airflow's retry is to act after the kill."""
        return self.is_struck and self.follow_up is not FollowUp.RETRY

    def kills_here(self, arrival: Arrival) -> bool:
        """Decide about a process of this case's post, or of its run."""
        with self._lock:
            self.arrivals.append(arrival)
            if self._is_prelude(arrival):
                self.prelude.append(arrival)
                return True
            if self.kills:
                if not self._strikes_again(arrival):
                    return False
            elif not self._is_target(arrival):
                return False
            else:
                self.at_kill(self)
            self.kills.append(arrival)
            return True

    def _is_prelude(self, arrival: Arrival) -> bool:
        """Whether the first run of a race, or an abandoned task, is to be killed here."""
        if len(self.prelude) >= TRIES or self.kills:
            return False
        if self.prelude:
            first = self.prelude[0]
            return arrival.task == first.task and arrival.try_number > self.prelude[-1].try_number
        if self.kind.abandoned_by is not None:
            return arrival.task_name == self.kind.abandoned_by
        return self.has_older_run

    @property
    def has_older_run(self) -> bool:
        """Whether a run of this post alone is to end before the one in which it is killed."""
        return self.follow_up is FollowUp.RACE and not self.kind.works_on_run

    def _is_target(self, arrival: Arrival) -> bool:
        if self.point is None or Point.of(self.kind, arrival) != self.point:
            return False
        is_first_run = bool(self.prelude) and arrival.run_id == self.prelude[0].run_id
        return not (self.has_older_run and is_first_run)

    def _strikes_again(self, arrival: Arrival) -> bool:
        if self.follow_up not in (FollowUp.CLEAR, FollowUp.BACKFILL) or self.is_spent:
            return False
        return arrival.task == self.kills[0].task and arrival.try_number > self.kills[-1].try_number

    def __str__(self) -> str:
        return f"{self.point}, then {self.follow_up}"


def every_case(
    points: Sequence[Point], kinds: Mapping[str, Kind], ways: Sequence[FollowUp]
) -> list[Case]:
    """Return a case for each point and follow-up, those of one follow-up together.

    Around the COMMIT of a read nothing changes that one follow-up would meet and another would not:
    such a point has one, in turn.
    """
    cases = []
    for index, point in enumerate(points):
        kind = kinds[point.kind]
        fitting = [one for one in ways if _fits(kind, one)]
        if point.is_read and fitting:
            fitting = [fitting[index % len(fitting)]]
        cases += [Case(kind, point, one) for one in fitting]
    return sorted(cases, key=lambda case: ways.index(case.follow_up))


def _fits(kind: Kind, way: FollowUp) -> bool:
    """Whether a follow-up meets what was killed: a backfill only a run of its own day."""
    return not kind.works_on_run or kind.is_backfilled is (way is FollowUp.BACKFILL)


def one_case_a_point(
    points: Sequence[Point], kinds: Mapping[str, Kind], ways: Sequence[FollowUp]
) -> list[Case]:
    """Return a case for each point, with the follow-ups in turn."""
    turn = cycle(ways)
    return [Case(kinds[point.kind], point, next(turn)) for point in points]
