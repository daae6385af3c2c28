"""The write-ahead log of an upload: what each entry changes, and that a newer lease forbids it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from reelflow.domain.chunks import ChunkPlan
from reelflow.domain.post import DONE, PAST_LAST_BYTE, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import (
    ConfigurationError,
    LeaseLostError,
    LedgerLockedError,
    PostFailedError,
    PostHeldError,
    PostNotTakeableError,
    TikTokRateLimitedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
    TransientError,
)
from reelflow.ledger import audit, publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.publishing.journal import UploadJournal
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import InitAnswer
from tests.factories import Clock, change_post, read_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import UPLOAD_URL, make_publication

pytestmark = ON_BOTH_DATABASES


MakePost = Callable[..., Post]
S, P = PostState, PublicationState
TOKEN, ACTOR = 3, "run-1/upload[0]"
PLAN = ChunkPlan(12, 4, 3)
HOUR = timedelta(hours=1)


@pytest.fixture
def make_begun(
    workspace: Workspace, account: Account, make_post: MakePost
) -> Callable[..., tuple[Post, UploadJournal]]:
    """Make a post under the lease of the journal that comes with it."""

    def make(state: PostState = S.UPLOADING, **columns: Any) -> tuple[Post, UploadJournal]:
        post = make_post(account, state=state, fencing_token=TOKEN, **columns)
        return post, UploadJournal(workspace, post.id, actor=ACTOR, fencing_token=TOKEN)

    return make


MakeBegun = Callable[..., tuple[Post, UploadJournal]]


def current(workspace: Workspace, post: Post) -> Publication | None:
    with workspace.ledger.read() as session:
        return publications.current(session, post.id)


def rows(workspace: Workspace) -> list[Any]:
    with workspace.ledger.read() as session:
        return [
            session.execute(text(f"SELECT * FROM {table}")).all()
            for table in ("posts", "publications", "audit")
        ]


WRITES: dict[str, Callable[[UploadJournal], object]] = {
    "start": lambda journal: journal.start(),
    "begin_publication": lambda journal: journal.begin_publication(PLAN),
    "opened": lambda journal: journal.opened(InitAnswer("p", UPLOAD_URL), lifetime=HOUR),
    "supersede": lambda journal: journal.supersede("why"),
    "acknowledge": lambda journal: journal.acknowledge(4),
    "commit": lambda journal: journal.commit(),
    "sent": lambda journal: journal.sent(8),
    "hold": lambda journal: journal.hold("why", code="code", fix="fix"),
    "fail": lambda journal: journal.fail("why", code="code", fix="fix"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_after_a_newer_lease_nothing_is_written(
    workspace: Workspace, make_begun: MakeBegun, write: Callable[[UploadJournal], object]
) -> None:
    post, journal = make_begun()
    make_publication(workspace, post)
    change_post(workspace, post.id, fencing_token=TOKEN + 1)
    before = rows(workspace)
    with pytest.raises(LeaseLostError):
        write(journal)
    assert rows(workspace) == before


def test_a_failure_after_a_newer_lease_is_logged_and_not_written(
    workspace: Workspace, make_begun: MakeBegun, caplog: pytest.LogCaptureFixture
) -> None:
    post, journal = make_begun()
    change_post(workspace, post.id, fencing_token=TOKEN + 1)
    before = rows(workspace)
    journal.record_failure(TikTokUnavailableError("cut"))
    assert rows(workspace) == before
    assert "its failure was not recorded" in caplog.text


def test_a_ready_post_starts_uploading(make_begun: MakeBegun, workspace: Workspace) -> None:
    post, journal = make_begun(S.READY, rescheduled_because="next try at noon")
    assert journal.start().state is S.UPLOADING
    after = read_post(workspace, post.id)
    assert (after.state, after.rescheduled_because) == (S.UPLOADING, None)


@pytest.mark.parametrize("state", sorted(DONE | PAST_LAST_BYTE | {S.UPLOADING}))
def test_a_post_that_was_begun_is_gone_on_with(make_begun: MakeBegun, state: PostState) -> None:
    _, journal = make_begun(state)
    assert journal.start().state is state


@pytest.mark.parametrize("state", [S.HELD, S.CANCELLED, S.MISSED, S.REJECTED, S.FAILED, S.UNKNOWN])
def test_a_post_that_left_meanwhile_is_not_started(make_begun: MakeBegun, state: PostState) -> None:
    """A person may have cancelled it after the run looked and before it got the lease."""
    _, journal = make_begun(state)
    with pytest.raises(PostNotTakeableError, match=f"is {state}: made by a test"):
        journal.start()


def test_a_last_chunk_is_not_sent_again_for_a_post_that_a_person_asked_to_cancel(
    make_begun: MakeBegun, workspace: Workspace, clock: Clock
) -> None:
    post, journal = make_begun(S.COMMITTING, cancel_requested_at=clock())
    with pytest.raises(PostNotTakeableError, match="what TikTok lacks of it is not sent"):
        journal.start()
    assert read_post(workspace, post.id).state is S.COMMITTING


@pytest.mark.parametrize("state", sorted(set(S) - DONE - PAST_LAST_BYTE - {S.UPLOADING}))
def test_committing_is_refused_to_a_post_that_is_not_uploading(
    make_begun: MakeBegun, workspace: Workspace, state: PostState
) -> None:
    post, journal = make_begun(state)
    with pytest.raises(PostNotTakeableError, match=f"is {state}: made by a test"):
        journal.commit()
    assert read_post(workspace, post.id).state is state


@pytest.mark.parametrize("state", sorted(set(S) - {S.UPLOADING}))
def test_nothing_is_begun_for_a_post_that_tiktoks_word_moved_on_meanwhile(
    make_begun: MakeBegun, workspace: Workspace, state: PostState
) -> None:
    post, journal = make_begun(state)
    with pytest.raises(PostNotTakeableError, match=f"is {state}: made by a test"):
        journal.begin_publication(PLAN)
    assert current(workspace, post) is None


@pytest.mark.parametrize("state", sorted(DONE | PAST_LAST_BYTE))
def test_committing_twice_changes_nothing(
    make_begun: MakeBegun, workspace: Workspace, state: PostState
) -> None:
    post, journal = make_begun(state)
    make_publication(workspace, post)
    before = rows(workspace)
    journal.commit()
    assert rows(workspace) == before


def test_an_upload_is_written_down_step_by_step(
    workspace: Workspace, make_begun: MakeBegun, clock: Clock
) -> None:
    post, journal = make_begun(S.READY, upload_failures=2)
    journal.start()
    journal.begin_publication(PLAN)
    begun = current(workspace, post)
    assert begun is not None
    assert (begun.state, begun.publish_id) == (P.INITIATING, None)
    clock.advance(
        timedelta(seconds=20)
    )  # while TikTok answers: its hour begins later than our call
    journal.opened(InitAnswer("v_pub_file~v2-1.5", UPLOAD_URL), lifetime=HOUR)
    opened = current(workspace, post)
    assert opened is not None
    assert (opened.state, opened.publish_id) == (P.UPLOADING, "v_pub_file~v2-1.5")
    assert opened.url_expires_at == clock() + HOUR
    assert publications.upload_url(opened, workspace.ledger.cipher) == UPLOAD_URL
    journal.acknowledge(4)
    journal.commit()
    assert read_post(workspace, post.id).state is S.COMMITTING
    journal.sent(8)
    sent = current(workspace, post)
    assert sent is not None
    assert (sent.state, sent.acknowledged_bytes) == (P.SENT, 8)
    after = read_post(workspace, post.id)
    assert (after.state, after.upload_failures) == (S.PROCESSING, 0)
    with workspace.ledger.read() as session:
        story = [row.why for row in audit.story(session, post.id)]
    assert all("secret-token" not in why for why in story)
    assert len(story) == 7  # made, three steps of the post, three of its publication


def test_the_sixth_publication_fails_the_post(workspace: Workspace, make_begun: MakeBegun) -> None:
    post, journal = make_begun()
    for _ in range(5):
        journal.begin_publication(PLAN)
        journal.supersede("its answer was lost")
    with pytest.raises(PostFailedError, match="5 uploads were begun"):
        journal.begin_publication(PLAN)
    assert read_post(workspace, post.id).state is S.FAILED


def test_a_publication_that_tiktok_never_opened_costs_none(
    workspace: Workspace, make_begun: MakeBegun
) -> None:
    _, journal = make_begun()
    for _ in range(7):
        journal.begin_publication(PLAN)
        journal.supersede("TikTok was out of reach", forgiven=True)
    assert journal.is_uploading()


@pytest.mark.parametrize("why", ["TikTok refuses it", "TikTok refuses it."])
def test_why_a_post_failed_ends_with_one_full_stop(make_begun: MakeBegun, why: str) -> None:
    post, journal = make_begun()
    with pytest.raises(PostFailedError) as failed:
        journal.fail(why, code="code", fix="the fix")
    assert str(failed.value) == f"post {post.id} failed: TikTok refuses it. To fix: the fix"


@pytest.mark.parametrize("state", [P.INITIATING, P.UPLOADING])
def test_failing_gives_up_a_publication_before_its_last_byte(
    workspace: Workspace, make_begun: MakeBegun, state: PublicationState
) -> None:
    post, journal = make_begun()
    make_publication(workspace, post, state=state)
    with pytest.raises(PostFailedError, match="To fix: the fix"):
        journal.fail("why", code="code", fix="the fix")
    after = read_post(workspace, post.id)
    assert (after.state, after.reason, after.reason_code, after.fix) == (
        S.FAILED,
        "why",
        "code",
        "the fix",
    )
    assert current(workspace, post) is None


def test_holding_says_what_a_person_must_do(workspace: Workspace, make_begun: MakeBegun) -> None:
    post, journal = make_begun()
    with pytest.raises(PostHeldError, match="why the fix") as held:
        journal.hold("why", code="code", fix="the fix")
    assert held.value.code == "code"
    assert read_post(workspace, post.id).state is S.HELD


@pytest.mark.parametrize(
    ("error", "failures", "pause_s"),
    [
        (TikTokUnavailableError("cut"), 1, 30),
        (TikTokUnavailableError("cut", retry_after_s=7), 1, 7),
        (TikTokUnreachableError("down"), 0, 300),
        (TikTokRateLimitedError("slow", retry_after_s=60), 0, 60),
        (LedgerLockedError("locked", retry_after_s=5), 0, 5),
    ],
)
def test_a_failure_is_recorded_with_the_time_of_the_next_try(
    workspace: Workspace,
    make_begun: MakeBegun,
    clock: Clock,
    error: TransientError,
    failures: int,
    pause_s: float,
) -> None:
    post, journal = make_begun()
    publication = make_publication(workspace, post)
    journal.record_failure(error)
    after = read_post(workspace, post.id)
    assert (after.state, after.upload_failures) == (S.READY, failures)
    assert after.due_at == clock() + timedelta(seconds=pause_s)
    assert str(error) in str(after.rescheduled_because)
    kept = current(workspace, post)
    assert kept is not None
    assert kept.publish_id == publication.publish_id  # the next try resumes it


def test_a_wrong_setting_costs_no_try_and_is_no_reschedule(
    workspace: Workspace, make_begun: MakeBegun, clock: Clock
) -> None:
    post, journal = make_begun()
    journal.record_failure(ConfigurationError("the key is wrong: set the old one"))
    after = read_post(workspace, post.id)
    assert (after.state, after.upload_failures, after.rescheduled_because) == (S.READY, 0, None)
    assert after.reason == "the key is wrong: set the old one"
    with workspace.ledger.read() as session:
        assert audit.troubles(session, [post.id]) == {post.id: {after.reason}}
    assert after.due_at > clock()


def test_no_number_of_failures_fails_the_post_but_the_pause_grows_to_an_hour(
    workspace: Workspace, make_begun: MakeBegun, clock: Clock
) -> None:
    post, journal = make_begun(upload_failures=40)
    journal.record_failure(TikTokUnavailableError("cut"))
    after = read_post(workspace, post.id)
    assert after.state is S.READY
    assert after.due_at == clock() + timedelta(hours=1)


def test_an_upload_that_stops_at_its_last_bytes_again_and_again_waits_longer_each_time(
    workspace: Workspace, make_begun: MakeBegun, clock: Clock
) -> None:
    post, journal = make_begun(S.COMMITTING)
    for pause_s in (30, 60, 120):
        journal.start()
        assert read_post(workspace, post.id).due_at == clock() + timedelta(seconds=pause_s)
    assert read_post(workspace, post.id).state is S.COMMITTING


@pytest.mark.parametrize("state", sorted(PAST_LAST_BYTE))
def test_a_failure_past_the_last_byte_changes_nothing(
    workspace: Workspace, make_begun: MakeBegun, state: PostState
) -> None:
    post, journal = make_begun(state, upload_failures=4)
    before = rows(workspace)
    journal.record_failure(TikTokUnavailableError("cut"))
    assert rows(workspace) == before
    assert read_post(workspace, post.id).state is state


@pytest.mark.parametrize(("passed", "expired"), [(-1, False), (0, True), (1, True)])
def test_an_upload_url_has_expired_when_its_hour_is_over(
    workspace: Workspace, make_begun: MakeBegun, clock: Clock, passed: int, expired: bool
) -> None:
    post, journal = make_begun()
    publication = make_publication(
        workspace, post, url_expires_at=clock() - timedelta(seconds=passed)
    )
    assert journal.has_expired(publication) is expired


def test_an_upload_url_without_an_end_counts_as_expired(
    workspace: Workspace, make_begun: MakeBegun
) -> None:
    post, journal = make_begun()
    assert journal.has_expired(make_publication(workspace, post, url_expires_at=None))


def test_nothing_of_the_journal_logs_the_upload_url(
    workspace: Workspace, make_begun: MakeBegun, caplog: pytest.LogCaptureFixture
) -> None:
    _, journal = make_begun()
    with caplog.at_level(logging.DEBUG):
        journal.begin_publication(PLAN)
        journal.opened(InitAnswer("p", UPLOAD_URL), lifetime=HOUR)
    assert "secret-token" not in caplog.text
