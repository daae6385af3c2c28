"""Posts that settling did not help: found however they came to be so, and told of by one run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from reelflow.domain.post import PostState
from reelflow.exceptions import TikTokRejectedError
from reelflow.ledger import audit, posts
from reelflow.ledger.models import Account, Post
from reelflow.services.settling.for_a_person import (
    STUCK_AFTER,
    ForAPerson,
    posts_for_a_person,
)
from reelflow.services.settling.lost_init import resolve_fix
from reelflow.services.settling.reconcile import reconcile
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from tests.factories import Clock, change_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.services.settling.asked_tiktok import AskedTikTok

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
S = PostState
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
FAILED = PublishStatus("FAILED", fail_reason="frame_rate_check_failed")
REFUSED = TikTokRejectedError("no such publish_id", code="invalid_publish_id")


def tell(workspace: Workspace, run: str = "run_1") -> list[ForAPerson]:
    run = f"reconcile_publications/{run}/"
    return posts_for_a_person(workspace, run=run, actor=f"{run}tell[-1]")


def told(workspace: Workspace, run: str = "run_1") -> dict[int, bool]:
    return {post.post_id: post.is_new for post in tell(workspace, run)}


def settle(workspace: Workspace, tiktok: AskedTikTok, run: str = "run_1") -> None:
    actor = f"reconcile_publications/{run}/settle[-1]"
    reconcile(workspace, tiktok, actor=actor, longest_put_s=1090.0)


def test_an_unknown_post_is_new_to_one_run_whoever_made_it_so(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.UNKNOWN)
    assert told(workspace, "run_1") == {post.id: True}
    assert told(workspace, "run_2") == {post.id: False}


def test_a_run_whose_name_is_alike_is_another(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.UNKNOWN)
    assert told(workspace, "run-1") == {post.id: True}
    assert told(workspace, "run_1") == {post.id: False}


def test_the_same_run_tells_again_until_what_it_told_is_done(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    """It died before anybody heard it, or somebody cleared it."""
    post = make_post(account, state=S.UNKNOWN)
    assert told(workspace, "run_1") == {post.id: True}
    clock.advance(HOUR)
    assert told(workspace, "run_2") == {post.id: False}
    assert told(workspace, "run_1") == {post.id: True}
    with workspace.ledger.write() as session:
        posts.move(session, post.id, S.PUBLISHED, now=clock(), actor="mia", why="seen")
    assert told(workspace, "run_1") == {}


def test_a_post_that_is_unknown_once_more_is_new_once_more(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, state=S.UNKNOWN)
    assert told(workspace, "run_1") == {post.id: True}
    change_post(workspace, post.id, state_since=clock.advance(HOUR))
    assert told(workspace, "run_2") == {post.id: True}


def test_what_is_told_is_in_the_story_with_who_told_it(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.UNKNOWN)
    tell(workspace)
    with workspace.ledger.read() as session:
        last = audit.story(session, post.id)[-1]
    assert last.actor == "reconcile_publications/run_1/tell[-1]"
    assert last.why == "a person was told that it does not go on by itself"


def test_the_line_of_an_unknown_post_ends_with_its_fix(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.PROCESSING, file_name="clip.mp4")
    tiktok.told(make_publication(workspace, post), REFUSED)
    clock.advance(workspace.rules.unknown_after)
    settle(workspace, tiktok)
    (one,) = tell(workspace)
    assert one.line.startswith(f"post {post.id} (clip.mp4, acme): UNKNOWN: ")
    assert one.line.endswith(f"To fix: {resolve_fix(post)}")


@pytest.mark.parametrize("state", [S.COMMITTING, S.PROCESSING])
@pytest.mark.parametrize(("since", "is_told"), [(STUCK_AFTER - SECOND, False), (STUCK_AFTER, True)])
def test_a_post_that_tiktok_has_for_a_day_is_stuck(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    state: PostState,
    since: timedelta,
    is_told: bool,
) -> None:
    post = make_post(account, state=state)
    clock.advance(since)
    found = tell(workspace)
    assert [one.post_id for one in found] == ([post.id] if is_told else [])
    assert all("`reelflow posts show" in one.line and "24 hours" in one.line for one in found)


@pytest.mark.parametrize("holder", ["claimed_until", "lease_until"])
def test_what_a_run_or_an_upload_holds_is_left_to_it(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, holder: str
) -> None:
    post = make_post(account, state=S.UNKNOWN, claimed_by="run_1", **{holder: clock() + SECOND})
    assert told(workspace) == {}
    clock.advance(SECOND)
    assert told(workspace) == {post.id: True}


def test_a_post_that_this_run_settled_as_failed_is_told_and_old_failures_are_not(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    _, stopped, failed = (
        make_post(account, state=S.FAILED),
        make_post(account, state=S.PROCESSING),
        make_post(account, state=S.PROCESSING),
    )
    change_post(workspace, stopped.id, cancel_requested_at=workspace.ledger.now())
    for post in (stopped, failed):
        tiktok.told(make_publication(workspace, post), FAILED)
    settle(workspace, tiktok)
    assert told(workspace, "run_1") == {failed.id: True}
    assert told(workspace, "run_2") == {}


def test_nobody_is_told_of_what_goes_on_or_ended_well(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    for state in (S.READY, S.HELD, S.PUBLISHED, S.PUBLISHED_NO_LINK, S.IN_INBOX, S.REJECTED):
        make_post(account, state=state)
    clock.advance(2 * STUCK_AFTER)
    assert tell(workspace) == []


def test_a_row_that_somebody_damaged_is_told_beside_the_others(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    damaged, good = (make_post(account, state=S.UNKNOWN) for _ in range(2))
    with workspace.ledger.write() as session:
        session.execute(
            text("UPDATE posts SET mode = 'by pigeon' WHERE id = :id"), {"id": damaged.id}
        )
    first, second = tell(workspace)
    assert (first.post_id, second.post_id) == (damaged.id, good.id)
    assert "by pigeon" in first.line
