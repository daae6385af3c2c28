"""Asking TikTok to stop a post that it has: only its word moves the post."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import DONE, PAST_LAST_BYTE, PostState
from reelflow.domain.publication import MediaSource, PublicationState
from reelflow.exceptions import (
    AccountRevokedError,
    ConfigurationError,
    IllegalTransitionError,
    ReelflowError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.ledger import audit, publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.post_pages import show
from reelflow.services.settling.reopening import reopen
from reelflow.services.settling.settle import apply_status
from reelflow.services.steering.cancelling import ask_to_cancel, is_past_last_byte
from reelflow.services.steering.commands import retry
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from reelflow.tiktok.refusals import refusal_error
from tests.factories import Clock, change_post, read_post
from tests.intake_users import ADMIN
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.services.settling.asked_tiktok import WORKING, AskedTikTok

MakePost = Callable[..., Post]
S, P = PostState, PublicationState
PERSON = "person:ann"
STOPPED = PublishStatus("FAILED", fail_reason="publish_cancelled")
COMPLETE = PublishStatus("PUBLISH_COMPLETE")
TOO_LATE = TikTokRejectedError("it is final already", code="publish_not_cancellable")
UNAVAILABLE = TikTokUnavailableError("HTTP 503")


def cancel(workspace: Workspace, tiktok: AskedTikTok, post_id: int) -> Post:
    return ask_to_cancel(workspace, tiktok, post_id, actor=PERSON)


def story(workspace: Workspace, post_id: int) -> list[str]:
    with workspace.ledger.read() as session:
        return [row.why for row in audit.story(session, post_id) if row.actor == PERSON]


@pytest.mark.parametrize("state", sorted(PAST_LAST_BYTE))
def test_a_post_that_tiktok_stops_failed_by_cancelling(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    state: PostState,
) -> None:
    post = make_post(account, state=state)
    publication = make_publication(workspace, post)
    tiktok.cancels[str(publication.publish_id)] = STOPPED
    after = cancel(workspace, tiktok, post.id)
    assert (after.state, after.reason_code) == (S.FAILED, "publish_cancelled")
    assert tiktok.cancelled == [publication.publish_id]
    assert story(workspace, post.id)[:2] == [
        "TikTok is asked to cancel it",
        "TikTok took the request to cancel it",
    ]


def test_a_post_that_tiktok_goes_on_with_keeps_its_state_and_is_never_sent_again_by_itself(
    workspace: Workspace, processing: Publication, tiktok: AskedTikTok
) -> None:
    assert cancel(workspace, tiktok, processing.post_id).state is S.PROCESSING
    failed = PublishStatus("FAILED", fail_reason="internal")
    apply_status(workspace, processing.post_id, str(processing.publish_id), failed, actor=PERSON)
    assert read_post(workspace, processing.post_id).state is S.FAILED


def test_too_late_is_said_and_what_tiktok_says_then_is_written_down(
    workspace: Workspace, processing: Publication, tiktok: AskedTikTok
) -> None:
    tiktok.cancels[str(processing.publish_id)] = TOO_LATE
    tiktok.told(processing, COMPLETE)
    with pytest.raises(TikTokRejectedError) as refused:
        cancel(workspace, tiktok, processing.post_id)
    assert refused.value.code == "publish_not_cancellable"
    assert str(refused.value) == (
        f"TikTok does not cancel post {processing.post_id} (publish_not_cancellable): "
        "it is PUBLISHED_NO_LINK"
    )
    assert read_post(workspace, processing.post_id).state is S.PUBLISHED_NO_LINK
    assert "TikTok does not cancel it: it is final already" in story(workspace, processing.post_id)


@pytest.mark.parametrize("answer", [None, TOO_LATE])
def test_what_was_asked_stands_when_the_status_cannot_be_had(
    workspace: Workspace,
    processing: Publication,
    tiktok: AskedTikTok,
    answer: TikTokRejectedError | None,
) -> None:
    tiktok.told(processing, UNAVAILABLE)
    if answer is None:
        assert cancel(workspace, tiktok, processing.post_id).state is S.PROCESSING
    else:
        tiktok.cancels[str(processing.publish_id)] = answer
        with pytest.raises(TikTokRejectedError, match="goes on with it"):
            cancel(workspace, tiktok, processing.post_id)
    assert read_post(workspace, processing.post_id).cancel_requested_at is not None


def test_of_a_post_that_tiktok_works_on_nobody_says_that_it_is_final(
    workspace: Workspace, processing: Publication, tiktok: AskedTikTok
) -> None:
    code = "publish_not_cancellable"
    tiktok.cancels[str(processing.publish_id)] = refusal_error(code, call="it", http_status=400)
    with pytest.raises(TikTokRejectedError) as refused:
        cancel(workspace, tiktok, processing.post_id)
    assert "TikTok goes on with it" in str(refused.value)
    assert "if TikTok fails it, Reelflow does not post it again by itself" in str(refused.value)
    for told in (str(refused.value), *story(workspace, processing.post_id)):
        assert "is already final:" not in told
    failed = PublishStatus("FAILED", fail_reason="internal")
    apply_status(workspace, processing.post_id, str(processing.publish_id), failed, actor="sweep")
    assert read_post(workspace, processing.post_id).state is S.FAILED


NEVER_ASKED = [
    ConfigurationError("the key is another"),
    TikTokUnreachableError("no connection"),
    TikTokRateLimitedError("HTTP 429"),
    AccountRevokedError("the access ended"),
    TikTokRejectedError("no such task", code="invalid_publish_id"),
]


@pytest.mark.parametrize("error", NEVER_ASKED, ids=lambda error: type(error).__name__)
def test_a_wish_to_cancel_that_tiktok_did_not_take_changes_nothing(
    workspace: Workspace, processing: Publication, tiktok: AskedTikTok, error: ReelflowError
) -> None:
    tiktok.cancels[str(processing.publish_id)] = error
    with pytest.raises(type(error), match=str(error)):
        cancel(workspace, tiktok, processing.post_id)
    assert read_post(workspace, processing.post_id).cancel_requested_at is None
    assert story(workspace, processing.post_id)[:2] == [
        "TikTok is asked to cancel it",
        f"TikTok was not asked to cancel it, or did not take it: {error}",
    ]
    failed = PublishStatus("FAILED", fail_reason="internal")
    apply_status(workspace, processing.post_id, str(processing.publish_id), failed, actor="sweep")
    assert read_post(workspace, processing.post_id).state is S.READY


def test_the_story_of_a_wish_that_tiktok_never_got_names_no_place_of_ours_to_users(
    workspace: Workspace, processing: Publication, tiktok: AskedTikTok
) -> None:
    error = ConfigurationError("the key of tiktok-proxy.internal is another")
    tiktok.cancels[str(processing.publish_id)] = error
    with pytest.raises(ConfigurationError):
        cancel(workspace, tiktok, processing.post_id)
    told = [step["why"] for step in show(workspace, ADMIN, processing.post_id)["story"]]
    assert any(why.startswith("TikTok was not asked to cancel it") for why in told)
    assert "internal" not in " ".join(told)


def test_a_wish_that_tiktok_took_outlives_one_that_never_reached_it(
    workspace: Workspace, processing: Publication, tiktok: AskedTikTok, clock: Clock
) -> None:
    asked_at = clock()
    cancel(workspace, tiktok, processing.post_id)
    clock.advance(timedelta(minutes=1))
    tiktok.cancels[str(processing.publish_id)] = TikTokUnreachableError("no connection")
    with pytest.raises(TikTokUnreachableError):
        cancel(workspace, tiktok, processing.post_id)
    assert read_post(workspace, processing.post_id).cancel_requested_at == asked_at


def test_a_request_that_got_lost_is_remembered(
    workspace: Workspace, processing: Publication, tiktok: AskedTikTok
) -> None:
    tiktok.cancels[str(processing.publish_id)] = UNAVAILABLE
    with pytest.raises(TikTokUnavailableError):
        cancel(workspace, tiktok, processing.post_id)
    assert read_post(workspace, processing.post_id).cancel_requested_at is not None


@pytest.mark.parametrize("state", [*sorted(DONE), S.FAILED, S.CANCELLED, S.REJECTED, S.UNKNOWN])
def test_a_post_that_ended_is_not_cancelled(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    state: PostState,
) -> None:
    post = make_post(account, state=state)
    with pytest.raises(IllegalTransitionError, match="cannot cancel a post that is"):
        cancel(workspace, tiktok, post.id)
    assert (tiktok.cancelled, tiktok.asked) == ([], [])


@pytest.mark.parametrize("state", [S.HELD, S.READY, S.UPLOADING, S.MISSED])
def test_a_post_that_turns_out_to_be_before_its_last_byte_is_cancelled_without_tiktok(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    state: PostState,
) -> None:
    """TikTok may have failed it between the person's look and the command."""
    post = make_post(account, state=state)
    assert not is_past_last_byte(workspace, post.id)
    assert cancel(workspace, tiktok, post.id).state is S.CANCELLED
    assert tiktok.cancelled == []


def test_a_pull_whose_id_is_not_known_cannot_be_stopped(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.COMMITTING)
    make_publication(workspace, post, publish_id=None, source=MediaSource.PULL_FROM_URL)
    assert is_past_last_byte(workspace, post.id)
    with pytest.raises(IllegalTransitionError, match="`reelflow reconcile` settles it"):
        cancel(workspace, tiktok, post.id)
    assert read_post(workspace, post.id).cancel_requested_at is None


def test_a_cancelled_post_whose_last_byte_provably_never_came_is_not_sent_again(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.COMMITTING)
    publication = make_publication(workspace, post)
    cancel(workspace, tiktok, post.id)  # TikTok ignores it
    assert reopen(
        workspace, post.id, str(publication.publish_id), actor="sweep", fencing_token=None
    )
    after = read_post(workspace, post.id)
    assert (after.state, after.reason_code) == (S.CANCELLED, "cancelled")
    with workspace.ledger.read() as session:
        assert publications.of_post(session, post.id)[0].state is P.SUPERSEDED


def test_a_cancelled_post_whose_access_ends_does_not_go_on_when_it_is_back(
    workspace: Workspace, processing: Publication, tiktok: AskedTikTok
) -> None:
    cancel(workspace, tiktok, processing.post_id)
    removed = PublishStatus("FAILED", fail_reason="auth_removed")
    apply_status(workspace, processing.post_id, str(processing.publish_id), removed, actor="sweep")
    assert read_post(workspace, processing.post_id).state is S.FAILED


def test_a_retry_takes_the_wish_to_cancel_back(
    workspace: Workspace, processing: Publication, tiktok: AskedTikTok
) -> None:
    tiktok.cancels[str(processing.publish_id)] = STOPPED
    cancel(workspace, tiktok, processing.post_id)
    retry(workspace, processing.post_id, actor=PERSON)
    assert read_post(workspace, processing.post_id).cancel_requested_at is None


def test_an_upload_that_went_past_its_last_byte_meanwhile_is_for_tiktok(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.UPLOADING)
    publication = make_publication(workspace, post)
    change_post(workspace, post.id, state=S.COMMITTING)
    tiktok.told(publication, WORKING)
    assert cancel(workspace, tiktok, post.id).state is S.COMMITTING
    assert tiktok.cancelled == [publication.publish_id]


def test_no_error_of_ours_is_lost_on_the_way(
    workspace: Workspace, account: Account, tiktok: AskedTikTok
) -> None:
    with pytest.raises(ReelflowError, match="no post has id 99"):
        ask_to_cancel(workspace, tiktok, 99, actor=PERSON)
    with pytest.raises(ReelflowError, match="no post has id 99"):
        is_past_last_byte(workspace, 99)
