"""Telling of late posts: each is told of once, by a run and by an alert."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.exceptions import ConfigurationError
from reelflow.ledger.models import Account, Post
from reelflow.services.alerting import LOOK_BACK, MESSAGES_MAX, Alert, mark_told
from reelflow.services.late_posts_told import (
    AND_STALLED,
    TOLD_BY_ALERT,
    TOLD_BY_RUN,
    Late,
    newly_late,
    untold_late,
)
from reelflow.services.report import show_post
from reelflow.services.stage import postpone
from reelflow.services.workspace import Workspace
from tests.factories import Clock, change_post
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
HALF_AN_HOUR, MINUTE, DAY = timedelta(minutes=30), timedelta(minutes=1), timedelta(days=1)


def tell(workspace: Workspace, run: str = "dag/run_1/") -> Late:
    return newly_late(workspace, late_after=HALF_AN_HOUR, run=run, actor=f"{run}tell[-1]")


def send(workspace: Workspace) -> list[Alert]:
    alerts = untold_late(workspace, late_after=HALF_AN_HOUR)
    for alert in alerts:
        mark_told(workspace, alert, actor="tests/run/tell[-1]")
    return alerts


@pytest.fixture
def late_post(workspace: Workspace, account: Account, make_post: MakePost, clock: Clock) -> Post:
    """A post that was due half an hour ago, and nobody has taken."""
    post = make_post(account)
    clock.advance(HALF_AN_HOUR)
    return post


def test_a_post_is_new_to_one_run_however_often_that_is_repeated(
    workspace: Workspace, late_post: Post, clock: Clock
) -> None:
    for run, is_new in (("dag/a/", True), ("dag/b/", False), ("dag/a/", True)):
        clock.advance(MINUTE)
        told = tell(workspace, run)
        assert [post.post_id for post in told.new] == [late_post.id] * is_new
        assert told.total == 1
    assert TOLD_BY_RUN + AND_STALLED in {
        step["why"] for step in show_post(workspace, late_post.id)["story"]
    }


def test_an_alert_and_a_run_both_tell_of_it(workspace: Workspace, late_post: Post) -> None:
    (alert,) = send(workspace)
    assert (alert.event, alert.post_ids) == ("post.late", (late_post.id,))
    assert (alert.account, alert.file_name, alert.state) == ("acme", "clip.mp4", "READY")
    assert alert.since == late_post.created_at
    assert alert.reason is not None
    assert alert.text.endswith(alert.reason)
    assert tell(workspace).new
    assert TOLD_BY_ALERT + AND_STALLED in {
        step["why"] for step in show_post(workspace, late_post.id)["story"]
    }


def test_an_alert_is_sent_once_for_each_time_that_a_post_is_wished_for(
    workspace: Workspace, late_post: Post, clock: Clock
) -> None:
    (first,) = send(workspace)
    change_post(workspace, late_post.id, state_since=clock.advance(MINUTE))
    assert send(workspace) == []
    change_post(workspace, late_post.id, publish_at=clock() + DAY, due_at=clock() + DAY)
    clock.advance(DAY + HALF_AN_HOUR)
    (second,) = send(workspace)
    assert first.key != second.key


def test_an_outage_that_made_many_late_is_no_flood_of_messages(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    ids = [make_post(account, publish_at=clock() + MINUTE * n).id for n in range(60)]
    clock.advance(DAY)
    *single, rest = send(workspace)
    assert [alert.post_id for alert in single] == ids[:MESSAGES_MAX]
    assert rest.post_ids == tuple(ids[MESSAGES_MAX:])
    assert rest.text.startswith("and 40 more late posts that nothing known holds up: 40 READY.")
    assert send(workspace) == []


def test_what_was_to_go_out_long_ago_is_no_news(
    workspace: Workspace, late_post: Post, clock: Clock
) -> None:
    clock.advance(LOOK_BACK)
    assert send(workspace) == []


def test_what_a_wrong_setting_keeps_is_told_with_that(
    workspace: Workspace, late_post: Post
) -> None:
    wrong = ConfigurationError("the connection 'tiktok_app' does not exist", code="no_connection")
    postpone(workspace, late_post.id, wrong, actor="dag/run/upload[0]")
    (alert,) = send(workspace)
    assert alert.reason is not None
    assert alert.reason.startswith("It is tried again at ")
    assert alert.reason.endswith(str(wrong))


def test_a_new_wish_makes_it_new_when_it_is_late_again(
    workspace: Workspace, late_post: Post, clock: Clock
) -> None:
    assert tell(workspace, "dag/a/").new
    change_post(workspace, late_post.id, publish_at=clock() + DAY, due_at=clock() + DAY)
    assert tell(workspace, "dag/b/").total == 0
    clock.advance(DAY + HALF_AN_HOUR)
    assert tell(workspace, "dag/c/").new


def test_the_oldest_of_many_are_told_of_first_and_the_rest_next_time(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    ids = [make_post(account, publish_at=clock() - MINUTE * n).id for n in range(60)]
    clock.advance(DAY)
    told = [tell(workspace, f"dag/{n}/") for n in range(3)]
    assert [late.total for late in told] == [60, 60, 60]
    assert [post.post_id for late in told for post in late.new] == ids[::-1]
    assert len(told[0].new) == 50
