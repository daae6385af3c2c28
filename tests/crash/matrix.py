"""The crash matrix: finds the points, kills at each, and tells what became of every post."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from tests.crash.cases import Case, FollowUp
from tests.crash.points import Kind, Media, Point
from tests.crash.stage import Stage
from tests.crash.verdict import Judgement, differences, explanations, judge, strangers, summary
from tests.crash.waves import Wave, in_waves

#: How often a case is played whose process never came by its point, or whose race nobody ran: under
#: load a post may take another way, for example wait for TikTok's limit, and its rival come late.
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
#: Drafts make one call of their own, init; what else they come by, posts come by, too.
DRAFT = Kind("draft", is_draft=True, tasks=UPLOAD, near=("/video/init/", "/upload"))
PHOTO_DRAFT = Kind(
    "photo draft", media=Media.PHOTOS, is_draft=True, tasks=UPLOAD, near=("/content/init/",)
)
KINDS = {
    kind.name: kind
    for kind in (
        *(VIDEO, CHUNKED, PULLED, PHOTOS, DRAFT, PHOTO_DRAFT),
        *(REFRESHED, RUN, ABANDONED, BACKFILL),
    )
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
    _may_be_unknown: set[Point] = field(default_factory=set)
    _may_be_held: set[Point] = field(default_factory=set)
    #: The latest day that no backfill has had: its run takes no other posts.
    _day: date = field(default_factory=lambda: datetime.now(UTC).date() - timedelta(days=1))

    def find_points(self, kinds: Sequence[Kind]) -> list[Point]:
        """Let a post of each kind pass, and return the points that count, in their order.

        :raises AssertionError: one of them did not pass, or not all of its way was seen
        """
        points: list[Point] = []
        for watched in in_waves([Case(kind, None, _undisturbed(kind)) for kind in kinds]):
            self._play(watched)
            posts, simulator = self.stage.posts(watched), self.stage.simulator("GET", "/posts")
            for case in watched:
                passed = judge(case, posts.get(case.file_name), simulator)
                assert passed.is_published, f"undisturbed, and yet {passed}"
                found = case.kind.points(case.arrivals)
                assert not case.kind.lacks(found), f"{case.kind.lacks(found)} not seen: {passed}"
                whole_way = replace(case.kind, near=()).points(case.arrivals)
                self._may_be_unknown |= case.kind.unknown_at(whole_way)
                self._may_be_held |= case.kind.held_at(whole_way)
                points += found
            self.stage.forget()
        return points

    def play(self, cases: list[Case], *, points: Collection[Point], apart: bool = True) -> None:
        """Play cases; those that did not come to what they are about, again.

        :param points: at each of these somebody must have been killed at the end
        :param apart: follow-ups do not meet in a wave
        """
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
        self._date(cases)
        if not Wave(self.stage, cases).play():
            self.problems.append(f"a wave was not over in time, with {cases[0]}")

    def _date(self, cases: Sequence[Case]) -> None:
        """Give the posts of a backfill their day; one that works on its run has its own."""
        dated = [one for one in cases if one.follow_up is FollowUp.BACKFILL]
        for number, case in enumerate(dated):
            if number and case.kind.is_backfilled:
                self._day -= timedelta(days=1)
            case.day = self._day
        if dated:
            self._day -= timedelta(days=1)

    def _judge(self, cases: Sequence[Case], *, is_last: bool) -> list[Case]:
        """Judge a wave, and return the cases that were none and are to be played again."""
        posts, simulator = self.stage.posts(cases), self.stage.simulator("GET", "/posts")
        for sha256 in strangers(cases, simulator):
            self.problems.append(f"TikTok has bytes of no post of this wave: {sha256}")
        for file_name in self.stage.left_in_inbox(cases):
            self.problems.append(f"{file_name} still lies in its inbox")
        again = []
        for case in cases:
            judgement = judge(
                case,
                posts.get(case.file_name),
                simulator,
                may_be_unknown=case.point in self._may_be_unknown,
                may_be_held=case.point in self._may_be_held,
            )
            is_none = not case.is_played and judgement.is_published and judgement.keeps_promise
            if is_none and not is_last:
                again.append(case)
                continue
            self.judgements.append(judgement)
            self.tell(str(judgement))
        return again


def _undisturbed(kind: Kind) -> FollowUp:
    """Return the follow-up under which a post that nothing kills takes the way of its kind."""
    return FollowUp.BACKFILL if kind.is_backfilled else FollowUp.RETRY
