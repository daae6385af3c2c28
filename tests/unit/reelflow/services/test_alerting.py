"""Posts that somebody must hear of: each is told once for each time that it gets there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from reelflow.domain.post import PostState
from reelflow.ledger import batches
from reelflow.ledger.models import Account, Post
from reelflow.services.alerting import (
    LOOK_BACK,
    MESSAGES_MAX,
    Alert,
    end_turn,
    mark_told,
    take_turn,
    untold,
)
from reelflow.services.settling.for_a_person import STUCK_AFTER
from reelflow.services.workspace import Workspace
from tests.factories import Clock, change_post
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
S = PostState
SECOND = timedelta(seconds=1)


def tell(workspace: Workspace) -> list[Alert]:
    alerts = untold(workspace)
    for alert in alerts:
        mark_told(workspace, alert, actor="tests/run/summarize[-1]")
    return alerts


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (S.FAILED, "post.failed"),
        (S.REJECTED, "post.rejected"),
        (S.UNKNOWN, "post.unknown"),
        (S.MISSED, "post.missed"),
    ],
)
def test_what_needs_a_person_is_told_once(
    state: S, event: str, workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=state, reason="the reason", reason_code="slug", fix="the fix")
    with workspace.ledger.write() as session:
        batches.append(session, "run-7", [post.id], now=workspace.ledger.now())
    (alert,) = tell(workspace)
    assert (alert.event, alert.post_id, alert.account) == (event, post.id, "acme")
    assert (alert.file_name, alert.state, alert.run_id) == ("clip.mp4", str(state), "run-7")
    assert (alert.reason, alert.reason_code, alert.fix) == ("the reason", "slug", "the fix")
    assert alert.text == f"post {post.id} (clip.mp4, acme): {state}: the reason. To fix: the fix"
    assert tell(workspace) == []


@pytest.mark.parametrize("state", sorted(set(S) - {S.FAILED, S.REJECTED, S.UNKNOWN, S.MISSED}))
def test_nobody_hears_of_what_goes_on_by_itself(
    state: S, workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    make_post(account, state=state)
    assert untold(workspace) == []


@pytest.mark.parametrize("state", [S.COMMITTING, S.PROCESSING])
def test_what_tiktok_works_on_for_a_day_is_stuck(
    state: S, workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    make_post(account, state=state)
    clock.advance(STUCK_AFTER - SECOND)
    assert untold(workspace) == []
    clock.advance(SECOND)
    (alert,) = tell(workspace)
    assert alert.event == "post.stuck"
    assert tell(workspace) == []


def test_what_fails_again_is_told_again(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, state=S.FAILED)
    first = tell(workspace)
    later = clock.advance(SECOND)
    change_post(workspace, post.id, state_since=later)
    second = tell(workspace)
    assert len(second) == 1
    assert second[0].key != first[0].key


def test_what_a_person_stopped_is_no_news_to_people(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    make_post(account, state=S.FAILED, cancel_requested_at=workspace.ledger.now())
    assert untold(workspace) == []


def test_what_happened_long_ago_is_no_news(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    make_post(account, state=S.FAILED)
    clock.advance(LOOK_BACK + SECOND)
    assert untold(workspace) == []


def test_an_outage_is_no_flood_of_messages(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    made = [make_post(account, state=S.MISSED, keyed=False) for _ in range(MESSAGES_MAX + 3)]
    made.append(make_post(account, state=S.FAILED, keyed=False))
    *single, rest = tell(workspace)
    assert [alert.post_id for alert in single] == [post.id for post in made[:MESSAGES_MAX]]
    assert (rest.event, rest.post_id) == ("posts.more", None)
    assert rest.post_ids == tuple(post.id for post in made[MESSAGES_MAX:])
    assert rest.text.startswith("and 4 more posts: 1 FAILED, 3 MISSED.")
    assert tell(workspace) == []


def test_a_post_whose_row_was_changed_by_hand_is_told_as_it_can_be(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post, other = (make_post(account, state=S.FAILED) for _ in range(2))
    with workspace.ledger.write() as session:
        session.execute(text(f"UPDATE posts SET mode = 'oddly' WHERE id = {post.id}"))
    told = {alert.post_id: alert for alert in tell(workspace)}
    assert set(told) == {post.id, other.id}
    assert "mode" in told[post.id].text
    assert tell(workspace) == []


def test_one_process_tells_at_a_time_and_a_dead_one_is_not_waited_for(
    workspace: Workspace, clock: Clock
) -> None:
    assert take_turn(workspace, owner="one")
    assert not take_turn(workspace, owner="two")
    end_turn(workspace, owner="two")  # it is not its turn
    assert not take_turn(workspace, owner="two")
    end_turn(workspace, owner="one")
    assert take_turn(workspace, owner="two")
    clock.advance(timedelta(minutes=2))
    assert take_turn(workspace, owner="three")
