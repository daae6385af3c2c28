"""A person's word about an UNKNOWN post, both ways."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import PostMode, PostState
from reelflow.domain.publication import MediaSource, PublicationState
from reelflow.exceptions import IllegalTransitionError, PostNotFoundError
from reelflow.ledger import audit, publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.steering.commands import retry
from reelflow.services.steering.resolving import resolve_not_published, resolve_published
from reelflow.services.workspace import Workspace
from tests.factories import Clock, read_post
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.services.settling.asked_tiktok import POST_ID

MakePost = Callable[..., Post]
S, P = PostState, PublicationState
PERSON = "person:ann"


@pytest.fixture
def unknown(workspace: Workspace, account: Account, make_post: MakePost) -> Post:
    """A pull whose init was not answered."""
    return lost(workspace, make_post(account, state=S.UNKNOWN))


def lost(workspace: Workspace, post: Post) -> Post:
    long_ago = workspace.ledger.now() - workspace.rules.public_url_lifetime
    make_publication(
        workspace,
        post,
        publish_id=None,
        source=MediaSource.PULL_FROM_URL,
        created_at=long_ago,
    )
    return post


def current(workspace: Workspace, post: Post) -> Publication:
    with workspace.ledger.read() as session:
        found = publications.current(session, post.id)
    assert found is not None
    return found


def test_a_post_that_a_person_found_is_published(workspace: Workspace, unknown: Post) -> None:
    resolve_published(workspace, unknown.id, actor=PERSON, tiktok_post_id=POST_ID)
    assert read_post(workspace, unknown.id).state is S.PUBLISHED
    publication = current(workspace, unknown)
    assert (publication.state, publication.tiktok_post_id) == (P.DONE, POST_ID)
    with workspace.ledger.read() as session:
        step = audit.story(session, unknown.id)[-1]
    assert (step.actor, step.why) == (PERSON, "person:ann found it on TikTok")


@pytest.mark.parametrize(
    ("mode", "after"),
    [(PostMode.DIRECT, S.PUBLISHED_NO_LINK), (PostMode.DRAFT, S.IN_INBOX)],
)
def test_without_its_address_it_may_still_gain_a_link_or_be_posted_by_its_creator(
    workspace: Workspace, account: Account, make_post: MakePost, mode: PostMode, after: PostState
) -> None:
    post = lost(workspace, make_post(account, state=S.UNKNOWN, mode=mode))
    assert resolve_published(workspace, post.id, actor=PERSON).state is after
    assert current(workspace, post).state is P.DONE


def test_an_id_that_tiktok_gave_before_is_not_forgotten(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.UNKNOWN)
    make_publication(workspace, post, tiktok_post_id=POST_ID)
    resolve_published(workspace, post.id, actor=PERSON)
    assert current(workspace, post).tiktok_post_id == POST_ID


def test_a_post_that_is_not_there_failed_and_may_be_tried_again(
    workspace: Workspace, unknown: Post
) -> None:
    after = resolve_not_published(workspace, unknown.id, actor=PERSON)
    assert (after.state, after.reason_code) == (S.FAILED, "not_published")
    assert f"reelflow posts retry {unknown.id}" in str(after.fix)
    assert current(workspace, unknown).state is P.FAILED
    assert retry(workspace, unknown.id, actor=PERSON).state is S.READY


@pytest.mark.parametrize("state", [state for state in PostState if state is not S.UNKNOWN])
@pytest.mark.parametrize("resolve", [resolve_published, resolve_not_published])
def test_only_an_unknown_post_is_resolved(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    state: PostState,
    resolve: Callable[..., Post],
) -> None:
    post = make_post(account, state=state)
    with pytest.raises(IllegalTransitionError, match="cannot resolve a post that is"):
        resolve(workspace, post.id, actor=PERSON)
    assert read_post(workspace, post.id).state is state


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7" * 7,
        "7" * 21,
        "76789073980770746x6",
        "٧٦٧٨٩٠٧٣٩٨",
        "https://www.tiktok.com/@a/video/7",
    ],
)
def test_what_is_no_id_of_a_post_is_refused(workspace: Workspace, unknown: Post, text: str) -> None:
    with pytest.raises(IllegalTransitionError, match="is no id of a TikTok post"):
        resolve_published(workspace, unknown.id, actor=PERSON, tiktok_post_id=text)
    assert read_post(workspace, unknown.id).state is S.UNKNOWN


def test_the_address_of_another_post_is_refused(
    workspace: Workspace, account: Account, make_post: MakePost, unknown: Post
) -> None:
    make_publication(workspace, make_post(account, state=S.PUBLISHED), tiktok_post_id=POST_ID)
    with pytest.raises(IllegalTransitionError, match="another post of Reelflow already"):
        resolve_published(workspace, unknown.id, actor=PERSON, tiktok_post_id=POST_ID)
    assert read_post(workspace, unknown.id).state is S.UNKNOWN


@pytest.mark.parametrize("resolve", [resolve_published, resolve_not_published])
def test_a_post_that_does_not_exist_is_not_resolved(
    workspace: Workspace, resolve: Callable[..., Post]
) -> None:
    with pytest.raises(PostNotFoundError):
        resolve(workspace, 99, actor=PERSON)


def test_a_pull_that_tiktok_may_still_fetch_is_not_told_to_be_missing_yet(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, state=PostState.UNKNOWN)
    make_publication(workspace, post, publish_id=None, source=MediaSource.PULL_FROM_URL)
    clock.advance(workspace.rules.public_url_lifetime - timedelta(seconds=1))
    with pytest.raises(IllegalTransitionError, match="may still fetch"):
        resolve_not_published(workspace, post.id, actor="a person")
    assert read_post(workspace, post.id).state is PostState.UNKNOWN
    clock.advance(timedelta(seconds=1))
    assert resolve_not_published(workspace, post.id, actor="a person").state is PostState.FAILED
