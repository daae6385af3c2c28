"""Publications in the ledger: one current, steps audited, the upload URL encrypted."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from reelflow.domain.chunks import ChunkPlan
from reelflow.domain.publication import PUBLICATION_TRANSITIONS, PublicationState
from reelflow.exceptions import ConfigurationError, IllegalTransitionError
from reelflow.ledger import audit, publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.workspace import Workspace
from reelflow.tiktok.limits import TikTokLimits
from tests.factories import ACTOR
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES


PLAN: ChunkPlan = TikTokLimits().plan(1000)
S = PublicationState


@pytest.fixture
def post(account: Account, make_post: Callable[..., Post]) -> Post:
    return make_post(account)


def open_new(workspace: Workspace, post: Post) -> Publication:
    with workspace.ledger.write() as session:
        return publications.open_new(session, post.id, plan=PLAN, now=workspace.ledger.now())


def move(workspace: Workspace, publication: Publication, to: PublicationState) -> Publication:
    with workspace.ledger.write() as session:
        row = session.get_one(Publication, publication.id)
        publications.move(
            session, row, to, now=workspace.ledger.now(), actor=ACTOR, why="a test says so"
        )
        return row


def test_an_intention_is_written_with_its_plan(workspace: Workspace, post: Post) -> None:
    opened = open_new(workspace, post)
    assert (opened.state, opened.ordinal, opened.is_current) == (S.INITIATING, 1, True)
    assert (opened.size_bytes, opened.chunk_size_bytes, opened.total_chunks) == (
        PLAN.size_bytes, PLAN.chunk_size_bytes, PLAN.total_chunks,
    )  # fmt: skip
    assert opened.publish_id is None
    assert opened.acknowledged_bytes == 0


def test_at_most_one_publication_is_current_and_all_are_kept(
    workspace: Workspace, post: Post
) -> None:
    for _ in range(3):
        open_new(workspace, post)
    with workspace.ledger.read() as session:
        history = publications.of_post(session, post.id)
        current = publications.current(session, post.id)
        assert publications.count(session, post.id) == 3
    assert [row.ordinal for row in history] == [1, 2, 3]
    assert [row.is_current for row in history] == [False, False, True]
    assert current is not None
    assert current.ordinal == 3


def test_the_database_itself_refuses_a_second_current_one(workspace: Workspace, post: Post) -> None:
    first = open_new(workspace, post)
    open_new(workspace, post)

    def make_current() -> None:
        with workspace.ledger.write() as session:
            session.get_one(Publication, first.id).is_current = True

    with pytest.raises(IntegrityError):
        make_current()


def test_a_superseded_publication_is_no_longer_current(workspace: Workspace, post: Post) -> None:
    assert not move(workspace, open_new(workspace, post), S.SUPERSEDED).is_current
    with workspace.ledger.read() as session:
        assert publications.current(session, post.id) is None


@pytest.mark.parametrize("current", S)
def test_an_illegal_step_is_refused_without_a_trace(
    workspace: Workspace, post: Post, current: PublicationState
) -> None:
    publication = open_new(workspace, post)
    with workspace.ledger.write() as session:
        session.get_one(Publication, publication.id).state = current
    for target in set(S) - PUBLICATION_TRANSITIONS[current]:
        with pytest.raises(IllegalTransitionError):
            move(workspace, publication, target)
    with workspace.ledger.read() as session:
        assert session.get_one(Publication, publication.id).state is current
        assert len(audit.story(session, post.id)) == 1


def test_each_step_is_audited_with_its_publication(workspace: Workspace, post: Post) -> None:
    publication = open_new(workspace, post)
    for target in (S.UPLOADING, S.COMMITTING, S.SENT, S.DONE):
        assert move(workspace, publication, target).state is target
    with workspace.ledger.read() as session:
        rows = audit.story(session, post.id)[1:]
    assert [row.why for row in rows] == [
        "publication 1: INITIATING to UPLOADING: a test says so",
        "publication 1: UPLOADING to COMMITTING: a test says so",
        "publication 1: COMMITTING to SENT: a test says so",
        "publication 1: SENT to DONE: a test says so",
    ]
    assert {row.publication_id for row in rows} == {publication.id}


def test_the_upload_url_is_a_credential_and_stored_encrypted(
    workspace: Workspace, post: Post, tmp_path: Path
) -> None:
    url = "https://upload.tiktokapis.com/video/?upload_id=1&upload_token=secret"
    publication = open_new(workspace, post)
    with workspace.ledger.write() as session:
        row = session.get_one(Publication, publication.id)
        row.publish_id = "v_pub_file~v2-1.1"
        publications.store_upload_url(row, workspace.ledger.cipher, url)
    assert publications.upload_url(row, workspace.ledger.cipher) == url
    on_disk = b"".join(path.read_bytes() for path in tmp_path.glob("reelflow.db*"))
    assert b"upload_token" not in on_disk
    assert "upload_token" not in repr(vars(row))


def test_an_upload_url_of_another_publication_is_not_read(workspace: Workspace, post: Post) -> None:
    url = "https://upload.tiktokapis.com/video/?upload_id=1&upload_token=secret"
    publication = open_new(workspace, post)
    publication.publish_id = "v_pub_file~v2-1.1"
    publications.store_upload_url(publication, workspace.ledger.cipher, url)
    publication.publish_id = "v_pub_file~v2-1.2"
    with pytest.raises(ConfigurationError, match=r"the upload URL of post \d+ is not"):
        publications.upload_url(publication, workspace.ledger.cipher)


def test_asking_for_a_url_that_was_never_given_is_a_mistake_of_the_caller(
    workspace: Workspace, post: Post
) -> None:
    with pytest.raises(ValueError, match="has no upload URL"):
        publications.upload_url(open_new(workspace, post), workspace.ledger.cipher)
