"""Uploads that nobody works on: given back before their last byte, never after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import LeaseLostError
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Account, Post
from reelflow.services.settling.stalled import return_stalled_uploads, supersede_expired
from reelflow.services.workspace import Workspace
from tests.factories import ACTOR, Clock, read_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
S, P = PostState, PublicationState
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("left_s", [None, 0, -1])
def test_an_upload_without_a_living_lease_is_ready_again_and_its_uploader_is_stopped(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, left_s: int | None
) -> None:
    lease_until = None if left_s is None else clock() + left_s * SECOND
    post = make_post(account, state=S.UPLOADING, lease_until=lease_until, fencing_token=7)
    publication = make_publication(workspace, post)
    assert return_stalled_uploads(workspace, actor=ACTOR) == [post.id]
    after = read_post(workspace, post.id)
    assert after.state is S.READY
    with pytest.raises(LeaseLostError):
        posts.check_fence(after, 7)
    with workspace.ledger.read() as session:
        current = publications.current(session, post.id)
        assert audit.story(session, post.id)[-1].actor == ACTOR
    assert current is not None
    assert current.publish_id == publication.publish_id  # the next upload goes on with it


def test_a_living_upload_is_left_alone(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, state=S.UPLOADING, lease_until=clock() + SECOND, fencing_token=7)
    assert return_stalled_uploads(workspace, actor=ACTOR) == []
    assert read_post(workspace, post.id).fencing_token == 7


@pytest.mark.parametrize("state", [state for state in PostState if state is not S.UPLOADING])
def test_what_is_not_uploading_is_not_given_back(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state)
    assert return_stalled_uploads(workspace, actor=ACTOR) == []
    assert read_post(workspace, post.id).state is state


@pytest.mark.parametrize(
    ("state", "publication", "expires_in", "leased_for", "ends"),
    [
        (S.READY, P.UPLOADING, 0, None, P.SUPERSEDED),
        (S.READY, P.UPLOADING, 0, 0, P.SUPERSEDED),
        (S.READY, P.UPLOADING, 1, None, P.UPLOADING),
        (S.READY, P.UPLOADING, 0, 1, P.UPLOADING),
        (S.UPLOADING, P.UPLOADING, 0, 1, P.UPLOADING),
        (S.COMMITTING, P.COMMITTING, 0, None, P.COMMITTING),
        (S.PROCESSING, P.SENT, 0, None, P.SENT),
    ],
)
def test_a_waiting_posts_publication_is_given_up_with_its_urls_hour(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    state: PostState,
    publication: PublicationState,
    expires_in: int,
    leased_for: int | None,
    ends: PublicationState,
) -> None:
    lease_until = None if leased_for is None else clock() + leased_for * SECOND
    post = make_post(account, state=state, lease_until=lease_until)
    url_expires_at = clock() + expires_in * SECOND
    make_publication(workspace, post, state=publication, url_expires_at=url_expires_at)
    supersede_expired(workspace, actor=ACTOR)
    with workspace.ledger.read() as session:
        (now,) = publications.of_post(session, post.id)
    assert (now.state, now.is_current) == (ends, ends is not P.SUPERSEDED)
