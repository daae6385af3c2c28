"""Sweeps of the store beside people who want its files again, on either database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import ReelflowError
from reelflow.ledger.models import Account, Post
from reelflow.services.intake.rejection import reject
from reelflow.services.steering.commands import retry
from reelflow.services.storage_sweep.sweep import sweep_storage
from reelflow.services.uploads.media import finish_deletions
from reelflow.services.workspace import Workspace
from tests.contract.ledger.racing import race
from tests.data_folder import data_folder
from tests.factories import Clock, read_post
from tests.left_behind import stored_keys
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

POSTS = 6


@pytest.fixture
def clock() -> Clock:
    """A clock behind the machine's, so that the ledger is older than what lies in its store."""
    return Clock(datetime.now(UTC) - timedelta(hours=1))


def sweep(workspace: Workspace) -> list[str]:
    done = sweep_storage(workspace, actor="sweep")
    return [*done.troubles.values()]


def try_again(workspace: Workspace, posts: list[int]) -> int:
    """Try posts again, the newest first, while sweeps take the oldest."""
    tried = 0
    for post_id in reversed(posts):
        try:
            retry(workspace, post_id, actor="person:mia")
            tried += 1
        except ReelflowError:
            pass
    return tried


@pytest.mark.parametrize("state", [PostState.FAILED, PostState.REJECTED])
def test_a_post_that_is_tried_again_during_sweeps_has_its_file_or_is_refused(
    workspace: Workspace,
    clock: Clock,
    account: Account,
    make_post: Callable[..., Post],
    state: PostState,
) -> None:
    violation = {"rule": "codec", "value": "av1", "limit": "h264", "fix": "convert it"}
    made = []
    for _ in range(POSTS):
        is_rejected = state is PostState.REJECTED
        post = make_post(account, state=PostState.READY if is_rejected else state)
        if is_rejected:
            reject(workspace, post.id, [violation], actor="tests")
        made.append(post.id)
    clock.advance(timedelta(days=31))
    tell = partial(sweep, workspace)
    *troubles, tried = race([tell, tell, partial(try_again, workspace, made)])
    assert troubles == [[], []]

    posts = [read_post(workspace, post_id) for post_id in made]
    ready = [post for post in posts if post.state is PostState.READY]
    assert len(ready) == tried
    for post in ready:
        assert post.media.deleted_at is None
        assert data_folder(workspace).path(post.media.source_path).exists()
    assert all(post.media.deleted_at is not None for post in posts if post not in ready)
    # What was moved while it was deleted goes in the end.
    finish_deletions(workspace)
    clock.advance(timedelta(days=3))
    assert sweep(workspace) == []
    assert stored_keys(workspace) == {post.media.source_path for post in ready}
