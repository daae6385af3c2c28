"""What proves that a last byte never arrived, and what is done then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import LeaseLostError
from reelflow.ledger import publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.settling.reopening import proves_incomplete, reopen
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from tests.factories import ACTOR, Clock, read_post
from tests.unit.reelflow.services.publication_factory import make_publication

MakePost = Callable[..., Post]
S = PostState
LONGEST_PUT_S = 1090.0


def holds(publication: Publication, difference: int = 0) -> PublishStatus:
    return PublishStatus("PROCESSING_UPLOAD", uploaded_bytes=publication.size_bytes + difference)


EXPIRED_FOR_S = LONGEST_PUT_S + 5 * 60


@pytest.mark.parametrize(
    ("held", "status", "after_expiry_s", "proof"),
    [
        (-1, "PROCESSING_UPLOAD", EXPIRED_FOR_S + 1, True),
        (-7, "PROCESSING_UPLOAD", EXPIRED_FOR_S + 1, True),
        (-1, "PROCESSING_UPLOAD", EXPIRED_FOR_S, False),
        (-1, "PROCESSING_UPLOAD", 0, False),
        (0, "PROCESSING_UPLOAD", EXPIRED_FOR_S + 1, False),
        (None, "PROCESSING_UPLOAD", EXPIRED_FOR_S * 1000, False),
        (-1, "NEW_WORD", EXPIRED_FOR_S + 1, False),
        (-1, "PUBLISH_COMPLETE", EXPIRED_FOR_S + 1, False),
    ],
)
def test_only_missing_bytes_long_after_the_urls_end_prove_that_nothing_can_come(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    held: int | None,
    status: str,
    after_expiry_s: float,
    proof: bool,
) -> None:
    publication = make_publication(
        workspace, make_post(account, state=S.COMMITTING), url_expires_at=clock()
    )
    uploaded = None if held is None else publication.size_bytes + held
    said = PublishStatus(status, uploaded_bytes=uploaded)
    asked_at = clock() + timedelta(seconds=after_expiry_s)
    found = proves_incomplete(publication, said, asked_at=asked_at, longest_put_s=LONGEST_PUT_S)
    assert found is proof


def test_a_publication_without_an_expiry_proves_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    publication = make_publication(
        workspace, make_post(account, state=S.COMMITTING), url_expires_at=None
    )
    late = clock() + timedelta(days=30)
    said = holds(publication, -1)
    assert not proves_incomplete(publication, said, asked_at=late, longest_put_s=LONGEST_PUT_S)


@pytest.mark.parametrize("token", [7, None])
def test_reopening_gives_the_publication_up_and_lets_the_post_be_sent_again(
    workspace: Workspace, account: Account, make_post: MakePost, token: int | None
) -> None:
    post = make_post(account, state=S.COMMITTING, fencing_token=7)
    assert reopened(workspace, make_publication(workspace, post), token=token)
    after = read_post(workspace, post.id)
    assert after.state is S.UPLOADING
    assert after.fencing_token == (7 if token else 8)  # whoever slept under 7 stops
    with workspace.ledger.read() as session:
        assert publications.current(session, post.id) is None
        assert publications.of_post(session, post.id)[0].state is PublicationState.SUPERSEDED


def reopened(workspace: Workspace, publication: Publication, *, token: int | None) -> bool:
    assert publication.publish_id is not None
    return reopen(
        workspace, publication.post_id, publication.publish_id, actor=ACTOR, fencing_token=token
    )


@pytest.mark.parametrize("token", [7, None])
@pytest.mark.parametrize("state", [S.PROCESSING, S.PUBLISHED, S.UNKNOWN, S.UPLOADING])
def test_only_a_committing_post_is_reopened(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    state: PostState,
    token: int | None,
) -> None:
    post = make_post(account, state=state, fencing_token=7)
    publication = make_publication(workspace, post)
    assert not reopened(workspace, publication, token=token)
    assert_untouched(workspace, post, publication)


def assert_untouched(workspace: Workspace, post: Post, current: Publication) -> None:
    after = read_post(workspace, post.id)
    assert (after.state, after.fencing_token) == (post.state, post.fencing_token)
    with workspace.ledger.read() as session:
        found = publications.current(session, post.id)
    assert found is not None
    assert (found.publish_id, found.state) == (current.publish_id, current.state)


@pytest.mark.parametrize("token", [7, None])
def test_a_proof_about_an_older_publication_does_not_reopen_a_newer_one(
    workspace: Workspace, account: Account, make_post: MakePost, token: int | None
) -> None:
    post = make_post(account, state=S.COMMITTING, fencing_token=7)
    old = make_publication(workspace, post, state=PublicationState.SUPERSEDED, is_current=False)
    newer = make_publication(workspace, post)
    assert not reopened(workspace, old, token=token)
    assert_untouched(workspace, post, newer)


def test_reopening_is_fenced(workspace: Workspace, account: Account, make_post: MakePost) -> None:
    post = make_post(account, state=S.COMMITTING, fencing_token=7)
    publication = make_publication(workspace, post)
    with pytest.raises(LeaseLostError):
        reopened(workspace, publication, token=6)
    assert_untouched(workspace, post, publication)


@pytest.mark.parametrize(("left_s", "done"), [(1, False), (0, True)])
def test_who_has_no_lease_does_not_reopen_what_an_upload_holds(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    left_s: int,
    done: bool,
) -> None:
    lease_until = clock() + timedelta(seconds=left_s)
    post = make_post(account, state=S.COMMITTING, lease_owner="u", lease_until=lease_until)
    assert reopened(workspace, make_publication(workspace, post), token=None) is done
