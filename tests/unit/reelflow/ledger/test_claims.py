"""Claims: they keep runs apart until they lapse, and say what runs have in hand."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.schedule import NormalRun
from reelflow.ledger import claims, posts
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from tests import factories
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def due(workspace: Workspace, run_id: str) -> list[int]:
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        return posts.due(session, NormalRun(run_id, now, DAY), now=now, limit=100)


def claim(workspace: Workspace, post: Post, run_id: str) -> str | None:
    with workspace.ledger.write() as session:
        now = workspace.ledger.now()
        claims.claim(session, [post.id], run_id=run_id, now=now, claim=15 * MINUTE)
    return factories.read_post(workspace, post.id).claimed_by


def in_hand(workspace: Workspace, **runs: str) -> dict[str, int]:
    with workspace.ledger.read() as session:
        return claims.in_hand(session, now=workspace.ledger.now(), **runs)


def test_a_claim_is_respected_until_it_lapses(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account)
    assert claim(workspace, post, "first") == "first"
    assert due(workspace, "second") == []
    assert claim(workspace, post, "second") == "first"
    clock.advance(10 * MINUTE)
    assert claim(workspace, post, "first") == "first"  # a sign of life
    clock.advance(15 * MINUTE - timedelta(microseconds=1))
    assert claim(workspace, post, "second") == "first"
    clock.advance(timedelta(microseconds=1))
    assert due(workspace, "second") == [post.id]
    assert claim(workspace, post, "second") == "second"


@pytest.mark.parametrize("state", PostState)
def test_in_hand_is_what_was_claimed_and_is_still_to_be_uploaded(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, state: PostState
) -> None:
    until = clock() + MINUTE
    make_post(account, state=state, claimed_by="run", claimed_until=until)
    assert in_hand(workspace) == ({account.name: 1} if state is PostState.READY else {})


def test_in_hand_is_not_what_nobody_has_what_lapsed_or_what_is_put_off(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    make_post: MakePost,
    clock: Clock,
) -> None:
    now = clock()
    claimed = {"claimed_by": "run", "claimed_until": now + MINUTE}
    make_post(account)
    make_post(account, claimed_by="run", claimed_until=now)
    make_post(account, due_at=now + MINUTE, **claimed)
    assert in_hand(workspace) == {}
    other = make_account("other")
    for one in (account, other, other):
        make_post(one, **claimed)
    assert in_hand(workspace) == {account.name: 1, "other": 2}
    make_post(account, claimed_by="another", claimed_until=now + MINUTE)
    assert in_hand(workspace, but_not_of="run") == {account.name: 1}
    assert in_hand(workspace, only_of="run") == {account.name: 1, "other": 2}
