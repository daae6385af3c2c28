"""A publication that was given up and published all the same: the post is published, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import LeaseLostError
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.settling.settle import apply_status
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from tests import factories
from tests.database_faults import before_statement
from tests.factories import ACTOR, Clock, change_post, read_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

pytestmark = ON_BOTH_DATABASES


MakePost = Callable[..., Post]
S, P = PostState, PublicationState
COMPLETE = PublishStatus("PUBLISH_COMPLETE")
LINKED = PublishStatus("PUBLISH_COMPLETE", post_ids=("7678907398077074696",))


def say(workspace: Workspace, publication: Publication, status: PublishStatus) -> PostState:
    assert publication.publish_id is not None
    return apply_status(workspace, publication.post_id, publication.publish_id, status, actor=ACTOR)


def give_up(workspace: Workspace, post: Post) -> Publication:
    return make_publication(workspace, post, state=P.SUPERSEDED, is_current=False)


def states(workspace: Workspace, post: Post) -> list[tuple[PublicationState, bool]]:
    with workspace.ledger.read() as session:
        return [(one.state, one.is_current) for one in publications.of_post(session, post.id)]


@pytest.mark.parametrize(
    ("status", "after"), [(LINKED, S.PUBLISHED), (COMPLETE, S.PUBLISHED_NO_LINK)]
)
@pytest.mark.parametrize(
    ("state", "current", "ends", "alerts"),
    [
        (S.READY, P.UPLOADING, P.SUPERSEDED, False),
        (S.UPLOADING, P.INITIATING, P.SUPERSEDED, False),
        (S.UPLOADING, P.UPLOADING, P.SUPERSEDED, False),
        (S.HELD, P.UPLOADING, P.SUPERSEDED, False),
        (S.CANCELLED, P.UPLOADING, P.SUPERSEDED, False),
        (S.REJECTED, P.UPLOADING, P.SUPERSEDED, False),
        (S.MISSED, P.UPLOADING, P.SUPERSEDED, False),
        (S.FAILED, P.FAILED, P.FAILED, False),
        (S.COMMITTING, P.COMMITTING, P.SUPERSEDED, True),
        (S.UNKNOWN, P.COMMITTING, P.SUPERSEDED, True),
        (S.PROCESSING, P.SENT, P.SENT, True),
    ],
)
def test_the_post_is_published_and_its_upload_is_fenced(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    caplog: pytest.LogCaptureFixture,
    state: PostState,
    current: PublicationState,
    ends: PublicationState,
    alerts: bool,
    status: PublishStatus,
    after: PostState,
) -> None:
    post = make_post(account, state=S.READY, fencing_token=7, lease_owner="upload")
    old = give_up(workspace, post)
    make_publication(workspace, post, state=current)
    change_post(workspace, post.id, state=state)
    for _ in range(2):  # the same again says nothing new
        assert say(workspace, old, status) is after
    assert states(workspace, post) == [(P.DONE, True), (ends, False)]
    now = read_post(workspace, post.id)
    assert (now.lease_owner, now.lease_until) == (None, None)
    with pytest.raises(LeaseLostError):
        posts.check_fence(now, 7)
    assert ("may be on TikTok twice" in caplog.text) is alerts
    with workspace.ledger.read() as session:
        story = [row.why for row in audit.story(session, post.id)]
    assert len([why for why in story if "may be on TikTok twice" in why]) == int(alerts)


def test_a_post_without_another_publication_is_published(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.READY)
    assert say(workspace, give_up(workspace, post), LINKED) is S.PUBLISHED
    assert states(workspace, post) == [(P.DONE, True)]


def test_a_post_that_is_done_stays_and_the_second_one_on_tiktok_is_reported_once(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    caplog: pytest.LogCaptureFixture,
) -> None:
    post = make_post(account, state=S.PUBLISHED_NO_LINK)
    old = give_up(workspace, post)
    make_publication(workspace, post)
    for _ in range(2):
        assert say(workspace, old, LINKED) is S.PUBLISHED_NO_LINK
    assert states(workspace, post) == [(P.DONE, False), (P.DONE, True)]
    assert caplog.text.count("may be on TikTok twice") == 1


def test_a_failed_post_whose_bytes_another_post_holds_stays_failed_and_is_reported(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    caplog: pytest.LogCaptureFixture,
) -> None:
    post = make_post(account, content=b"same")
    old = give_up(workspace, post)
    change_post(workspace, post.id, state=S.FAILED)
    twin = make_post(account, content=b"same")
    assert say(workspace, old, LINKED) is S.FAILED
    assert f"post {twin.id} has the same bytes" in caplog.text


def test_a_post_whose_bytes_become_another_post_meanwhile_stays_as_it_ended_and_is_alerted_of(
    tmp_path: Path, clock: Clock, postgresql_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """PostgreSQL alone lets somebody else write between our look and our write."""
    workspace = factories.open_workspace(tmp_path, clock, database_url=postgresql_url)
    account = factories.make_account(workspace)
    failed = factories.make_post(workspace, account, state=S.FAILED, content=b"same")
    given_up = give_up(workspace, failed)

    def post_the_same() -> None:
        factories.make_post(workspace, account, content=b"same")

    with before_statement(workspace, "UPDATE posts SET state", post_the_same):
        assert say(workspace, given_up, LINKED) is S.FAILED
    assert states(workspace, failed) == [(P.DONE, False)]
    assert "may be on TikTok twice" in caplog.text
