"""What the matrix takes for a good case: killed, followed up, and at TikTok once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reelflow.domain.post import PostState
from tests.crash.arbiter import Arrival
from tests.crash.cases import Case, FollowUp
from tests.crash.points import Kind, Media, Point
from tests.crash.verdict import Judgement, differences, summary

KILL = Arrival(1, "post.upload_to_tiktok", "run", 0, 1, 1, "before COMMIT", 1)
VIDEO, PULLED = Kind("video"), Kind("pulled", media=Media.PULLED)
TOKEN = "POST /v2/oauth/token/"


def judgement(follow_up: FollowUp = FollowUp.RETRY, **case: object) -> Judgement:
    played = Case(VIDEO, Point.of(VIDEO, KILL), follow_up, kills=[KILL])
    return Judgement(
        replace(played, **case),  # type: ignore[arg-type]
        published=1,
        bytes_equal=True,
        state=PostState.PUBLISHED,
        reason="TikTok published it",
    )


def points(kind: Kind, *whats: str) -> list[Point]:
    return [Point.of(kind, replace(KILL, what=what, ordinal=i)) for i, what in enumerate(whats)]


@pytest.mark.parametrize(
    "good",
    [
        judgement(),
        judgement(FollowUp.CLEAR, kills=[KILL, KILL], is_followed=True),
        judgement(FollowUp.BACKFILL, kills=[KILL, KILL], is_followed=True),
        judgement(FollowUp.RACE, is_followed=True, has_raced=True),
        replace(judgement(was_held=True), may_be_held=True),
        replace(judgement(), state=PostState.UNKNOWN, published=0, may_be_unknown=True),
    ],
    ids=str,
)
def test_a_case_is_good_that_was_played_to_its_end(good: Judgement) -> None:
    assert good.is_good
    assert str(good).startswith("ok")
    assert differences([one for one in [good.case.point] if one], [good]) == []


@pytest.mark.parametrize(
    ("bad", "mark"),
    [
        (judgement(kills=[]), "NOT KILLED"),
        (judgement(FollowUp.CLEAR, kills=[KILL, KILL]), "NOT FOLLOWED"),
        (judgement(FollowUp.BACKFILL, kills=[KILL, KILL]), "NOT FOLLOWED"),
        (judgement(FollowUp.RACE, is_followed=True), "NOT FOLLOWED"),
    ],
    ids=str,
)
def test_a_case_that_was_not_played_to_its_end_is_a_problem(bad: Judgement, mark: str) -> None:
    assert not bad.is_good
    assert str(bad).startswith(mark)
    assert differences([], [bad]) == [f"not played: {bad.case}"]


@pytest.mark.parametrize(
    "bad",
    [
        replace(judgement(), published=2),
        replace(judgement(), published=0),
        replace(judgement(), bytes_equal=False),
        replace(judgement(), reason=""),
        replace(judgement(), state=PostState.FAILED),
        replace(judgement(), state=PostState.UNKNOWN),
        replace(judgement(), state=""),
        judgement(was_held=True),
    ],
    ids=str,
)
def test_a_case_that_breaks_the_promise_is_bad(bad: Judgement) -> None:
    assert not bad.is_good
    assert str(bad).startswith("BAD")


def test_the_last_line_counts_a_broken_promise_as_what_it_is() -> None:
    good = judgement()
    twice = replace(good, published=2)
    failed = replace(good, state=PostState.FAILED)
    unknown = replace(good, state=PostState.UNKNOWN)
    asked_in_vain = replace(unknown, may_be_unknown=True)
    assert summary([good, twice, failed, failed, unknown, unknown, unknown, asked_in_vain]) == (
        "8 cases over 1 points, 1 duplicates, 2 lost, 3 unknown"
    )


def test_a_point_at_which_nobody_was_killed_is_a_difference() -> None:
    case = judgement()
    [unkilled] = points(VIDEO, "after COMMIT")
    assert differences([unkilled], [case]) == [f"seen and never killed: {unkilled}"]


def test_only_a_pull_may_be_unknown_and_only_around_its_init() -> None:
    way = ("after COMMIT", "before POST /init/", "after POST /init/", "before COMMIT", "x")
    assert PULLED.unknown_at(points(PULLED, *way)) == set(points(PULLED, *way)[:4])
    assert VIDEO.unknown_at(points(VIDEO, *way)) == set()


def test_a_post_may_be_held_only_between_the_answer_with_its_tokens_and_their_commit() -> None:
    way = ("before COMMIT", f"before {TOKEN}", f"after {TOKEN}", "before COMMIT", "after COMMIT")
    assert VIDEO.held_at(points(VIDEO, *way)) == set(points(VIDEO, *way)[2:4])


def test_a_way_without_its_calls_is_not_the_whole_way() -> None:
    assert VIDEO.lacks(points(VIDEO, "before COMMIT", "after POST /init/")) == [" PUT "]
    assert PULLED.lacks(points(PULLED, "before COMMIT")) == [" POST "]
    assert replace(VIDEO, near=("/init/",)).lacks(points(VIDEO, "before COMMIT")) == ["/init/"]
