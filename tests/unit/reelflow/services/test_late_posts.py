"""Late posts: which they are, and what each waits for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from reelflow.domain.post import PostState
from reelflow.ledger import breaker
from reelflow.ledger.models import Account, Post
from reelflow.services.late_posts import LatePost, late_posts
from reelflow.services.workspace import Workspace
from tests.factories import Clock, change_post
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
S = PostState
HALF_AN_HOUR, MINUTE, DAY = timedelta(minutes=30), timedelta(minutes=1), timedelta(days=1)


def seen(workspace: Workspace) -> list[LatePost]:
    with workspace.ledger.read() as session:
        return late_posts(
            session, now=workspace.ledger.now(), late_after=HALF_AN_HOUR, batch_size=100
        )


@pytest.fixture
def late_post(workspace: Workspace, account: Account, make_post: MakePost, clock: Clock) -> Post:
    """A post that was due half an hour ago, and nobody has taken."""
    post = make_post(account)
    clock.advance(HALF_AN_HOUR)
    return post


@pytest.mark.parametrize("state", PostState)
def test_late_is_what_is_not_on_its_way_when_its_time_is_long_over(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, state: PostState
) -> None:
    post = make_post(account, state=state, publish_at=clock() + DAY, due_at=clock() + DAY)
    clock.advance(DAY + HALF_AN_HOUR - MINUTE)
    assert seen(workspace) == []
    clock.advance(MINUTE)
    is_late = state in {S.READY, S.UPLOADING, S.HELD}
    assert [one.post_id for one in seen(workspace)] == [post.id] * is_late


def test_without_a_wish_it_is_late_by_when_it_came(workspace: Workspace, late_post: Post) -> None:
    (late,) = seen(workspace)
    assert late.post_id == late_post.id
    assert late.is_stalled
    assert f"post {late_post.id} (clip.mp4, acme) is late: wished for" in late.line
    assert "No run has taken it: is publish_to_tiktok unpaused" in late.line


def test_what_a_person_brought_back_has_its_time_again(
    workspace: Workspace, late_post: Post, clock: Clock
) -> None:
    change_post(workspace, late_post.id, due_at=clock())
    assert seen(workspace) == []
    clock.advance(HALF_AN_HOUR)
    assert [one.post_id for one in seen(workspace)] == [late_post.id]


REASONS: list[tuple[dict[str, Any], str, bool]] = [
    (
        {"state": S.HELD, "reason": "no privacy level", "fix": "`reelflow posts release 1`"},
        "waits for a person: no privacy level. To fix: `reelflow posts release 1`",
        False,
    ),
    (
        {"due_at": HALF_AN_HOUR, "rescheduled_because": "acme has used its 15 posts of the day"},
        "is tried again at {later} UTC: acme has used its 15 posts of the day",
        False,
    ),
    (
        {"due_at": HALF_AN_HOUR, "reason": "the connection 'tiktok_app' does not exist"},
        "is tried again at {later} UTC: the connection 'tiktok_app' does not exist",
        False,
    ),
    (
        {"state": S.UPLOADING, "lease_owner": "dag/run/upload[0]", "lease_until": MINUTE},
        "is being uploaded by dag/run/upload[0]",
        False,
    ),
    ({"state": S.UPLOADING}, "No run has taken it", True),
    (
        {"claimed_by": "scheduled__1", "claimed_until": MINUTE},
        "The run scheduled__1 has taken it, and no worker has begun it yet",
        True,
    ),
]


@pytest.mark.parametrize(("columns", "told", "is_stalled"), REASONS)
def test_each_says_what_it_waits_for(
    workspace: Workspace,
    late_post: Post,
    clock: Clock,
    columns: dict[str, Any],
    told: str,
    is_stalled: bool,
) -> None:
    values = {
        name: clock() + value if isinstance(value, timedelta) else value
        for name, value in columns.items()
    }
    change_post(workspace, late_post.id, **values)
    (late,) = seen(workspace)
    assert told.format(later=f"{clock() + HALF_AN_HOUR:%Y-%m-%d %H:%M}") in late.line
    assert late.is_stalled is is_stalled


def test_an_outage_is_what_all_wait_for_that_are_due(
    workspace: Workspace, late_post: Post, clock: Clock
) -> None:
    with workspace.ledger.write() as session:
        breaker.trip(session, why="3 accounts failed", now=clock(), probe_at=clock() + MINUTE)
    (late,) = seen(workspace)
    until = f"{clock() + MINUTE:%Y-%m-%d %H:%M:%S}"
    assert f"Nothing new is begun at TikTok before {until} UTC: 3 accounts failed" in late.line
    assert not late.is_stalled


def test_what_goes_after_others_in_a_backlog_says_so(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    make_post: MakePost,
    late_post: Post,
    clock: Clock,
) -> None:
    due = {"publish_at": clock() - HALF_AN_HOUR, "due_at": clock() - HALF_AN_HOUR}
    newcomers = make_post(make_account("newcomer"), **due)
    claimed = {"claimed_by": "run", "claimed_until": clock() + MINUTE}
    in_hand = [make_post(account, **claimed) for _ in range(50)]
    told = {one.post_id: one for one in seen(workspace)}
    assert told[late_post.id].why == (
        "Runs have plenty of posts in hand, which go first: once most of them are being uploaded, "
        "it is taken"
    )
    assert [told[post.id].is_stalled for post in (late_post, newcomers)] == [False, True]
    change_post(workspace, in_hand[0].id, state=S.PROCESSING)  # not plenty any more
    assert all(one.is_stalled and "No run has taken it" in one.line for one in seen(workspace))


def test_one_that_cannot_be_read_is_told_of_beside_the_others(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    broken, sound = make_post(account), make_post(account)
    with workspace.ledger.write() as session:
        session.execute(
            text("UPDATE posts SET mode = 'sideways' WHERE id = :id"), {"id": broken.id}
        )
    clock.advance(HALF_AN_HOUR)
    told = {post.post_id: post.line for post in seen(workspace)}
    assert "somebody changed the ledger by hand" in told[broken.id]
    assert "is late" in told[sound.id]
