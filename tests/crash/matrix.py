"""The crash matrix: finds the points, kills at each, and tells what became of every post."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.crash.cases import Case, FollowUp
from tests.crash.points import Kind, Media, Point
from tests.crash.stage import Stage
from tests.crash.verdict import Judgement, differences, explanations, judge, strangers, summary
from tests.crash.waves import Wave, days_before_today, in_waves

#: How often a case is played whose process never came by its point: under load a post may take
#: another way, for example wait for TikTok's limit.
ATTEMPTS = 3

UPLOAD = frozenset({"upload_to_tiktok"})
VIDEO = Kind("video")
CHUNKED = Kind("video in two chunks", size_bytes=70_000_000, tasks=UPLOAD)
RUN = Kind("run", works_on_run=True)
ABANDONED = Kind(
    "run of an abandoned post",
    tasks=frozenset({"expire_sessions", "summarize"}),
    works_on_run=True,
    abandoned_by="wait_for_publish",
)
PULLED = Kind("pulled video", media=Media.PULLED, tasks=UPLOAD)
PHOTOS = Kind("photos", media=Media.PHOTOS)
REFRESHED = Kind("token refreshed", is_expired=True, tasks=UPLOAD, near=("/oauth/token/",))
BACKFILL = Kind(
    "run of a backfill",
    tasks=frozenset({"find_new_uploads"}),
    works_on_run=True,
    is_backfilled=True,
)
KINDS = {
    kind.name: kind
    for kind in (VIDEO, CHUNKED, PULLED, PHOTOS, REFRESHED, RUN, ABANDONED, BACKFILL)
}
#: Of the short form.
SHORT = Kind("video", tasks=UPLOAD, near=("/video/init/", "/upload"))


@dataclass
class Matrix:
    """All cases on one stage.

    :param tell: takes each line of the report
    """

    stage: Stage
    tell: Callable[[str], None]
    judgements: list[Judgement] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _lossy: set[Point] = field(default_factory=set)
    _backfilled_days: int = 0

    def find_points(self, kinds: Sequence[Kind]) -> list[Point]:
        """Let a post of each kind pass, and return the points that count, in their order."""
        points: list[Point] = []
        for watched in in_waves([Case(kind, None, _undisturbed(kind)) for kind in kinds]):
            self._play(watched)
            for case in watched:
                found = case.kind.points(case.arrivals)
                self._lossy |= case.kind.lossy(found)
                points += found
            self.stage.forget()
        return points

    def play(self, cases: list[Case], *, apart: bool = True) -> None:
        """Play cases; those whose process never came by its point, again.

        :param apart: follow-ups do not meet in a wave
        """
        points = {one.point for one in cases if one.point is not None}
        for attempt in range(ATTEMPTS):
            missed: list[Case] = []
            for wave in in_waves(cases) if apart else [cases]:
                self._play(wave)
                missed += self._judge(wave, is_last=attempt + 1 == ATTEMPTS)
                self.stage.forget()
            cases = [Case(one.kind, one.point, one.follow_up) for one in missed]
            if not cases:
                break
        self.problems += differences(points, self.judgements)

    def finish(self) -> bool:
        """Tell the end of the report, and say whether all was good."""
        for problem in self.problems:
            self.tell(f"PROBLEM  {problem}")
        for line in explanations(self.judgements):
            self.tell(line)
        self.tell(summary(self.judgements))
        return not self.problems and all(one.is_good for one in self.judgements)

    def _play(self, cases: Sequence[Case]) -> None:
        Wave(self.stage, cases, day=days_before_today(self._backfilled_days)).play()
        self._backfilled_days += any(one.follow_up is FollowUp.BACKFILL for one in cases)

    def _judge(self, cases: Sequence[Case], *, is_last: bool) -> list[Case]:
        """Judge a wave, and return the cases that were none and are to be played again."""
        posts, simulator = self.stage.posts(cases), self.stage.simulator("GET", "/posts")
        for sha256 in strangers(cases, simulator):
            self.problems.append(f"TikTok has bytes of no post of this wave: {sha256}")
        again = []
        for case in cases:
            judgement = judge(
                case,
                posts.get(case.file_name),
                simulator,
                may_be_unknown=case.point in self._lossy,
            )
            harmless = not judgement.case.is_struck and not judgement.is_duplicate
            if harmless and not judgement.is_lost and not is_last:
                again.append(case)
                continue
            self.judgements.append(judgement)
            self.tell(str(judgement))
        return again


def _undisturbed(kind: Kind) -> FollowUp:
    """Return the follow-up under which a post that nothing kills takes the way of its kind."""
    return FollowUp.BACKFILL if kind.is_backfilled else FollowUp.RETRY
