"""What wakes a run: posts that are due and new files; not what is claimed, too late or held."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Post
from reelflow.services.waiting import waiting_posts
from reelflow.services.workspace import Workspace
from reelflow.source import identity_of
from tests.factories import Clock, waiting_work
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.mark.parametrize("state", [state for state in PostState if state is not PostState.READY])
def test_posts_that_wait_for_a_person_or_for_tiktok_wake_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, state: PostState
) -> None:
    lease = {"lease_owner": "x", "lease_until": clock() + MINUTE}
    make_post(account, state=state, **(lease if state is PostState.UPLOADING else {}))
    assert waiting_work(workspace) == frozenset()


def test_future_claimed_and_too_late_posts_wake_nothing_and_due_ones_and_files_do(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    drop: Callable[..., Path],
    clock: Clock,
) -> None:
    make_post(account, due_at=clock() + MINUTE)
    make_post(account, due_at=clock() - DAY)
    claimed = make_post(account, claimed_by="run", claimed_until=clock() + MINUTE)
    assert waiting_work(workspace) == frozenset()
    identity = identity_of(drop(account, "new.mp4").stat())
    due = make_post(account)
    assert waiting_work(workspace) == {f"post:{due.id}", f"inbox:acme/new.mp4:{identity}"}
    clock.advance(MINUTE)
    assert f"post:{claimed.id}" in waiting_work(workspace)


def test_a_post_that_was_put_off_has_another_name_when_it_comes_back(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    # Watchers wake a run for the same names only once a minute.
    post, other = make_post(account), make_post(account)
    before = waiting_posts(workspace).names
    clock.advance(timedelta(seconds=30))
    assert waiting_posts(workspace).names == before
    with workspace.ledger.write() as session:
        session.get_one(Post, post.id).due_at = clock()
    after = waiting_posts(workspace).names
    assert after & before == {name for name in before if name.startswith(f"post:{other.id}@")}
    assert len(after) == 2
