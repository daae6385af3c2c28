"""What the matrix consists of: the points of a kind of post, and a case for each point."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import cycle

from tests.crash.arbiter import Arrival

#: Tries of a task by the policy of the plugins folder: one, and one retry.
TRIES = 2
NEAR = 2


class FollowUp(StrEnum):
    """What comes after the kill."""

    RETRY = "retry"  # by Airflow itself
    CLEAR = "clear"  # of the task, killed in each of its tries, and of what follows it
    BACKFILL = "backfill"  # over the post's day, after a first one that was killed in each try
    RACE = "race"  # an older run of the post is cleared at the moment of the kill


class Media(StrEnum):
    """What is posted, and how TikTok gets it."""

    SENT = "sent"  # a video, by FILE_UPLOAD
    PULLED = "pulled"  # a video, by PULL_FROM_URL
    PHOTOS = "photos"  # images, by PULL_FROM_URL


@dataclass(frozen=True)
class Kind:
    """Posts that take the same way.

    :param size_bytes: of the video, padded; 0 for a small one
    :param is_expired: the account's access token is to be refreshed on the way
    :param tasks: names of the tasks whose points count; empty for all that work on one post
    :param near: parts of HTTP paths; only points at most :data:`NEAR` steps from such a call count
    :param works_on_run: the points are those of the tasks of a whole run, with this one post
    :param abandoned_by: name of a task that is killed in each of its tries before anything else
    """

    name: str
    media: Media = Media.SENT
    size_bytes: int = 0
    is_expired: bool = False
    tasks: frozenset[str] = frozenset()
    near: tuple[str, ...] = ()
    works_on_run: bool = False
    abandoned_by: str | None = None

    def points(self, arrivals: Sequence[Arrival]) -> list[Point]:
        """Return the points of the matrix that an undisturbed post of this kind came by.

        :param arrivals: all of its processes', in their order
        """
        counted = [one for one in arrivals if self._counts(one)]
        calls = [
            index
            for index, one in enumerate(counted)
            if not self.near or any(path in one.what for path in self.near)
        ]
        points = [
            Point.of(self, one)
            for index, one in enumerate(counted)
            if any(abs(index - call) <= NEAR for call in calls)
        ]
        return list(dict.fromkeys(points))

    def lossy(self, points: Sequence[Point]) -> set[Point]:
        """Return the points at which the answer to a pull's init is lost with its process.

        :param points: of this kind, in their order
        """
        inits = [index for index, point in enumerate(points) if "/init/" in point.what]
        if self.media is Media.SENT or not inits:
            return set()
        before = [i for i in range(inits[0]) if points[i].what == "after COMMIT"]
        after = [i for i in range(inits[-1], len(points)) if points[i].what == "before COMMIT"]
        return set(points[before[-1] : after[0] + 1]) if before and after else set()

    def _counts(self, arrival: Arrival) -> bool:
        if arrival.try_number > 1 or (arrival.post_id is None) is not self.works_on_run:
            return False
        return not self.tasks or arrival.task_name in self.tasks


@dataclass(frozen=True, order=True)
class Point:
    """A step of a kind of post at which a process can be killed.

    :param visit: which process of the task; a deferred task has a second one
    :param ordinal: how often that process has reached the like, from 1 on
    """

    kind: str
    task: str
    visit: int
    what: str
    ordinal: int

    @classmethod
    def of(cls, kind: Kind, arrival: Arrival) -> Point:
        """Return the point that a process has reached."""
        return cls(kind.name, arrival.task_name, arrival.visit, arrival.what, arrival.ordinal)

    @property
    def is_read(self) -> bool:
        """Whether nothing but reading was done in the transaction that ends here."""
        return self.what.endswith("COMMIT of a read")

    def __str__(self) -> str:
        resumed = " (resumed)" if self.visit > 1 else ""
        return f"{self.kind}: {self.task}{resumed} {self.what} #{self.ordinal}"


@dataclass
class Case:
    """One post that is killed at one point, and what happens to it then.

    :param point: None for a post that is only watched
    :param file_name: of the post, its identity in the ledger and among the arrivals
    :param sha256: of the post's bytes
    :param run_id: the run whose tasks belong to the case, if its kind works on runs
    :param prelude: kills that make the case possible; :attr:`kills` are those it is about
    :param is_followed: what was to come after the kill was begun
    :param was_held: its account had to be connected again
    :param at_kill: called right before the kill, while the process waits for its answer
    """

    kind: Kind
    point: Point | None
    follow_up: FollowUp
    account: str = ""
    file_name: str = ""
    sha256: str = ""
    size_bytes: int = 0
    run_id: str | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    prelude: list[Arrival] = field(default_factory=list)
    kills: list[Arrival] = field(default_factory=list)
    is_followed: bool = False
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
    for way in ways:
        for index, point in enumerate(points):
            if not point.is_read or ways[index % len(ways)] is way:
                cases.append(Case(kinds[point.kind], point, way))
    return cases


def one_case_a_point(
    points: Sequence[Point], kinds: Mapping[str, Kind], ways: Sequence[FollowUp]
) -> list[Case]:
    """Return a case for each point, with the follow-ups in turn."""
    turn = cycle(ways)
    return [Case(kinds[point.kind], point, next(turn)) for point in points]
