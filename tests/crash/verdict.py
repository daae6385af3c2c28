"""Judges each case by both sides: what the ledger says, and what the simulator has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from reelflow.domain.post import DONE, PostState
from reelflow.ledger.models import Post
from tests.crash.cases import Case
from tests.crash.points import Point


@dataclass(frozen=True)
class Judgement:
    """What became of one case.

    :param published: posts and drafts of its bytes at the simulator
    :param state: of the post in the ledger; empty when it is not there
    :param may_be_unknown: the answer to its init was lost, and with a pull that says it all
    :param may_be_held: rotated tokens were lost with the process that got them
    """

    case: Case
    published: int
    bytes_equal: bool
    state: str
    reason: str
    may_be_unknown: bool = False
    may_be_held: bool = False

    @property
    def is_duplicate(self) -> bool:
        """Whether it was posted twice."""
        return self.published > 1

    @property
    def is_unknown(self) -> bool:
        """Whether nobody can say what became of it, though somebody could."""
        return self.state == PostState.UNKNOWN and not self.may_be_unknown

    @property
    def is_lost_answer(self) -> bool:
        """Whether nobody can say, because only the killed process heard it."""
        return self.state == PostState.UNKNOWN and self.may_be_unknown and bool(self.reason)

    @property
    def is_lost(self) -> bool:
        """Whether it is not published byte for byte, and told so with a reason."""
        return not (self.is_published or self.is_unknown or self.is_lost_answer)

    @property
    def is_published(self) -> bool:
        """Whether TikTok has its bytes, and the ledger says so with a reason."""
        is_told = self.state in DONE and bool(self.reason)
        return is_told and self.published > 0 and self.bytes_equal

    @property
    def keeps_promise(self) -> bool:
        """Whether it is at TikTok once, or nobody could know; and no person was asked in vain."""
        is_held_in_vain = self.case.was_held and not self.may_be_held
        return not (self.is_duplicate or self.is_lost or self.is_unknown or is_held_in_vain)

    @property
    def is_good(self) -> bool:
        """Whether the promise was kept, and the case was played to its end."""
        return self.case.is_played and self.keeps_promise

    def __str__(self) -> str:
        mark = "ok"
        if not self.keeps_promise:
            mark = "BAD"
        elif not self.case.is_struck:
            mark = "NOT KILLED"
        elif not self.case.is_played:
            mark = "NOT FOLLOWED"
        return (
            f"{mark}  {self.case}: {self.state or 'not in the ledger'} ({self.reason}), "
            f"{self.published} at TikTok, killed {len(self.case.kills)} times"
            + (", held until its account was connected again" if self.case.was_held else "")
        )


def judge(
    case: Case,
    post: Post | None,
    simulator: dict[str, Any],
    *,
    may_be_unknown: bool = False,
    may_be_held: bool = False,
) -> Judgement:
    """Judge one case.

    :param simulator: the answer of its ``/_sim/posts``
    :param may_be_unknown: as in :class:`Judgement`
    :param may_be_held: as in :class:`Judgement`
    """
    found = [
        one for one in [*simulator["posts"], *simulator["drafts"]] if one["sha256"] == case.sha256
    ]
    return Judgement(
        case,
        published=len(found),
        bytes_equal=all(one["bytes"] == case.size_bytes for one in found),
        state=str(post.state) if post else "",
        reason=(post.reason or "") if post else "",
        may_be_unknown=may_be_unknown,
        may_be_held=may_be_held,
    )


def strangers(cases: Sequence[Case], simulator: dict[str, Any]) -> list[str]:
    """Return the hashes at the simulator that are nobody's: mixed bytes, or posts come too late."""
    known = {case.sha256 for case in cases}
    found = [one["sha256"] for one in [*simulator["posts"], *simulator["drafts"]]]
    return [sha256 for sha256 in found if sha256 not in known]


def summary(judgements: Sequence[Judgement]) -> str:
    """Return the line that says it all."""
    points = {one.case.point for one in judgements if one.case.is_struck}
    counts = Counter(
        what
        for one in judgements
        for what, is_so in (
            ("duplicates", one.is_duplicate),
            ("lost", one.is_lost),
            ("unknown", one.is_unknown),
        )
        if is_so
    )
    return (
        f"{len(judgements)} cases over {len(points)} points, {counts['duplicates']} "
        f"duplicates, {counts['lost']} lost, {counts['unknown']} unknown"
    )


def explanations(judgements: Sequence[Judgement]) -> list[str]:
    """Return what the last line counts as settled though no machine could settle it alone."""
    unknown = sum(one.is_lost_answer for one in judgements)
    held = sum(one.case.was_held for one in judgements)
    lines = {
        f"{unknown} pulls are UNKNOWN and never posted again: init's answer was lost": unknown,
        f"{held} posts were held, and published once their account was connected again": held,
    }
    return [line for line, count in lines.items() if count]


def differences(seen: Collection[Point], judgements: Sequence[Judgement]) -> list[str]:
    """Return where the points killed differ from the points seen."""
    killed = {one.case.point for one in judgements if one.case.is_struck}
    missing = [f"seen and never killed: {point}" for point in sorted(seen) if point not in killed]
    return missing + [f"not played: {one.case}" for one in judgements if not one.case.is_played]
