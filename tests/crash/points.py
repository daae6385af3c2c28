"""Points at which a process can be killed, and the kinds of posts that come by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.crash.arbiter import Arrival

#: Steps from a call within which a point is near it.
NEAR = 2


class Media(StrEnum):
    """What is posted, and how TikTok gets it."""

    SENT = "sent"  # a video, by FILE_UPLOAD
    PULLED = "pulled"  # a video, by PULL_FROM_URL
    PHOTOS = "photos"  # images, by PULL_FROM_URL


@dataclass(frozen=True)
class Kind:
    """Posts that take the same way.

    :param size_bytes: of the video, padded; 0 for a small one
    :param is_draft: it goes to its creator's inbox at TikTok
    :param is_expired: the account's access token is to be refreshed on the way
    :param tasks: names of the tasks whose points count; empty for all that work on one post
    :param near: parts of HTTP paths; only points at most :data:`NEAR` steps from such a call count
    :param works_on_run: the points are those of the tasks of a whole run, with this one post
    :param is_backfilled: the run is that of a backfill, which the post is dated for
    :param abandoned_by: name of a task that is killed in each of its tries before anything else
    """

    name: str
    media: Media = Media.SENT
    size_bytes: int = 0
    is_draft: bool = False
    is_expired: bool = False
    tasks: frozenset[str] = frozenset()
    near: tuple[str, ...] = ()
    works_on_run: bool = False
    is_backfilled: bool = False
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

    def unknown_at(self, points: Sequence[Point]) -> set[Point]:
        """Return the points at which the answer to a pull's init is lost with its process.

        :param points: of the whole way of such a post, in their order
        """
        inits = [index for index, point in enumerate(points) if "/init/" in point.what]
        if self.media is Media.SENT or not inits:
            return set()
        before = [i for i in range(inits[0]) if points[i].what == "after COMMIT"]
        after = [i for i in range(inits[-1], len(points)) if points[i].what == "before COMMIT"]
        return set(points[before[-1] : after[0] + 1]) if before and after else set()

    def held_at(self, points: Sequence[Point]) -> set[Point]:
        """Return the points at which rotated tokens are lost with the process that got them.

        :param points: of the whole way of such a post, in their order
        """
        answered = "after POST /v2/oauth/token/"
        answers = [index for index, point in enumerate(points) if point.what == answered]
        if not answers:
            return set()
        after = [i for i in range(answers[0], len(points)) if points[i].what == "before COMMIT"]
        return set(points[answers[0] : after[0] + 1]) if after else set()

    def lacks(self, points: Sequence[Point]) -> list[str]:
        """Return what an undisturbed post of this kind must have come by, and did not.

        :param points: of this kind
        """
        wanted = [" COMMIT", *self.near]
        if not (self.works_on_run or self.near):
            wanted += [" POST ", " PUT "] if self.media is Media.SENT else [" POST "]
        return [one for one in wanted if not any(one in point.what for point in points)]

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
