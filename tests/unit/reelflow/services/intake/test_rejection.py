"""Rejecting beside other steps: what left READY meanwhile is neither rejected nor set aside."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.post import PostState
from reelflow.exceptions import PostNotTakeableError
from reelflow.ledger.models import Account, Post
from reelflow.services.intake.rejection import quarantine, reject
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import ACTOR, read_post

MakePost = Callable[..., Post]
VIOLATION = {"rule": "duration", "value": "0.5 s", "limit": "3 s", "fix": "make it longer"}


@pytest.mark.parametrize("state", sorted(set(PostState) - {PostState.READY, PostState.REJECTED}))
def test_a_post_that_left_ready_while_it_was_judged_is_left_alone(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    """A person may have cancelled it, or its account's access may have ended."""
    post = make_post(account, state=state)
    with pytest.raises(PostNotTakeableError, match=f"is {state}: made by a test"):
        reject(workspace, post.id, [VIOLATION], actor=ACTOR)
    after = read_post(workspace, post.id)
    assert (after.state, after.media.violations) == (state, None)
    assert data_folder(workspace).path(post.media.source_path).is_file()


def test_a_post_that_was_let_try_again_before_its_file_was_set_aside_keeps_it(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.READY)
    quarantine(workspace, post.id)
    after = read_post(workspace, post.id)
    assert (after.media.source_path, after.source_settled_at) == (post.media.source_path, None)
    assert data_folder(workspace).path(post.media.source_path).is_file()


def test_what_was_measured_stays_known_unless_it_is_measured_again(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    known, new = (MediaFacts("mp4", "video", size_bytes=size) for size in (7, 8))
    for number, (measured, kept) in enumerate([(None, known), ([], None), ([new], new)]):
        post = make_post(account, file_name=f"{number}.mp4", facts=known.as_dict())
        facts = None if measured is None else dict.fromkeys([post.media.id][: len(measured)], new)
        reject(workspace, post.id, [VIOLATION], actor=ACTOR, facts=facts)
        after = read_post(workspace, post.id).media.facts
        assert after == (kept and kept.as_dict())
