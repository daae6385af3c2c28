"""The content key beside other steps; the same bytes on real files are in test_prepare.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reelflow.domain.post import UNKEYED, PostState
from reelflow.ledger import posts
from reelflow.ledger.models import Account, Post
from reelflow.services.intake.duplicates import give_key
from reelflow.services.workspace import Workspace
from tests.factories import ACTOR, Clock, read_post

MakePost = Callable[..., Post]


@pytest.mark.parametrize("state", sorted(UNKEYED))
def test_a_post_that_ended_while_its_content_was_hashed_stays_as_it_ended(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, state: PostState
) -> None:
    published = make_post(account, state=PostState.PUBLISHED, content=b"same")
    ended = make_post(account, state=state, content=b"same", keyed=False)
    with workspace.ledger.write() as session:
        post = posts.get(session, ended.id, lock=True)
        assert give_key(session, post, str(published.sha256), now=clock(), actor=ACTOR) is None
    after = read_post(workspace, ended.id)
    assert (after.state, after.reason, after.sha256) == (state, ended.reason, published.sha256)
