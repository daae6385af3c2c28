"""Settling what nobody works on: every kind of leftover, one post's trouble beside the others."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.domain.upload_session import SWEPT_AFTER
from reelflow.exceptions import (
    ConfigurationError,
    StorageUnavailableError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnreachableError,
)
from reelflow.ledger import audit, publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.cleanup import mark_announced
from reelflow.services.settling.reopening import reopen
from reelflow.services.settling.sweep import SweepReport, expire_sessions
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from tests.chunked_uploads import CHUNK, Uploads, video_like
from tests.data_folder import data_folder
from tests.factories import ACTOR, Clock, change_post, read_post
from tests.frail_store import with_frail_store
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.services.settling.asked_tiktok import WORKING, AskedTikTok

MakePost = Callable[..., Post]
S, P = PostState, PublicationState
LONGEST_PUT_S = 1090.0
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
LINKED = PublishStatus("PUBLISH_COMPLETE", post_ids=("7678907398077074696",))
FAILED = PublishStatus("FAILED", fail_reason="frame_rate_check_failed")
REFUSED = TikTokRejectedError("no such publish_id", code="invalid_publish_id")


def sweep(workspace: Workspace, tiktok: AskedTikTok, *, run_id: str | None = None) -> SweepReport:
    return expire_sessions(
        workspace, tiktok, actor=ACTOR, longest_put_s=LONGEST_PUT_S, run_id=run_id
    )


def source_exists(workspace: Workspace, post: Post) -> bool:
    return data_folder(workspace).path(read_post(workspace, post.id).media.source_path).exists()


@pytest.mark.parametrize(
    ("lapses_in", "returned"), [(SECOND, False), (timedelta(0), True), (None, True)]
)
def test_an_upload_goes_back_to_ready_when_its_lease_is_over(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    tiktok: AskedTikTok,
    lapses_in: timedelta | None,
    returned: bool,
) -> None:
    lease_until = None if lapses_in is None else clock() + lapses_in
    post = make_post(account, state=S.UPLOADING, lease_owner="dead", lease_until=lease_until)
    publication = make_publication(workspace, post)
    assert sweep(workspace, tiktok).returned_to_ready == ([post.id] if returned else [])
    after = read_post(workspace, post.id)
    assert after.state is (S.READY if returned else S.UPLOADING)
    assert (after.fencing_token > post.fencing_token) is returned
    with workspace.ledger.read() as session:
        current = publications.current(session, post.id)
    assert current is not None
    assert current.publish_id == publication.publish_id
    assert tiktok.asked == []


def test_an_upload_url_whose_hour_is_over_is_given_up_with_the_lapsed_lease(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, tiktok: AskedTikTok
) -> None:
    live = make_post(account, state=S.UPLOADING)
    dead = make_post(account, state=S.UPLOADING)
    held = make_post(account, state=S.UPLOADING, lease_until=clock() + SECOND)
    make_publication(workspace, live, url_expires_at=clock() + SECOND)
    make_publication(workspace, dead, url_expires_at=clock())
    make_publication(workspace, held, url_expires_at=clock())
    sweep(workspace, tiktok)
    with workspace.ledger.read() as session:
        states = [publications.of_post(session, post.id)[0].state for post in (live, dead, held)]
    assert states == [P.UPLOADING, P.SUPERSEDED, P.UPLOADING]
    assert read_post(workspace, dead.id).state is S.READY


@pytest.mark.parametrize("state", [S.COMMITTING, S.PROCESSING])
def test_a_sent_post_that_nobody_holds_is_settled_cleaned_and_announced(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    state: PostState,
) -> None:
    post = make_post(account, state=state)
    publication = make_publication(workspace, post)
    tiktok.told(publication, LINKED)
    report = sweep(workspace, tiktok)
    assert report.settled == {post.id: S.PUBLISHED}
    assert report.cleaned == [post.id]
    assert not source_exists(workspace, post)
    (news,) = report.to_announce
    assert (news.post_id, news.state, news.publish_id, news.tiktok_post_id) == (
        post.id,
        "PUBLISHED",
        publication.publish_id,
        "7678907398077074696",
    )
    assert tiktok.asked == [(account.id, publication.publish_id)]


def test_what_is_not_known_to_be_announced_is_announced_again(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.PUBLISHED)
    make_publication(workspace, post)
    for _ in range(2):
        assert [news.post_id for news in sweep(workspace, tiktok).to_announce] == [post.id]
    mark_announced(workspace, [post.id])
    assert sweep(workspace, tiktok).to_announce == []


@pytest.mark.parametrize("holder", ["lease_until", "claimed_until"])
@pytest.mark.parametrize("state", [S.COMMITTING, S.PROCESSING])
def test_a_sent_post_that_somebody_holds_is_left_alone(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    tiktok: AskedTikTok,
    state: PostState,
    holder: str,
) -> None:
    post = make_post(account, state=state, **{holder: clock() + SECOND})
    tiktok.told(make_publication(workspace, post), LINKED)
    assert sweep(workspace, tiktok) == SweepReport()
    assert tiktok.asked == []
    clock.advance(SECOND)
    assert sweep(workspace, tiktok).settled == {post.id: S.PUBLISHED}


@pytest.mark.parametrize(("run_id", "free"), [("run-1", True), ("run-2", False), (None, False)])
@pytest.mark.parametrize("state", [S.PROCESSING, S.PUBLISHED])
def test_what_the_sweeping_run_claimed_itself_is_free_and_what_another_claimed_is_not(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    tiktok: AskedTikTok,
    state: PostState,
    run_id: str | None,
    free: bool,
) -> None:
    claim = {"claimed_by": "run-1", "claimed_until": clock() + MINUTE}
    post = make_post(account, state=state, **claim)
    tiktok.told(make_publication(workspace, post), LINKED)
    report = sweep(workspace, tiktok, run_id=run_id)
    assert bool(tiktok.asked) is (free and state is S.PROCESSING)
    assert report.cleaned == ([post.id] if free else [])
    assert [news.post_id for news in report.to_announce] == report.cleaned


def test_a_failed_post_keeps_its_source_and_is_not_announced(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.PROCESSING)
    tiktok.told(make_publication(workspace, post), FAILED)
    report = sweep(workspace, tiktok)
    assert report.settled == {post.id: S.FAILED}
    assert (report.cleaned, report.to_announce) == ([], [])
    assert source_exists(workspace, post)


def test_a_post_without_any_status_is_unknown_after_72_hours_and_not_before(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.PROCESSING)
    tiktok.told(make_publication(workspace, post), REFUSED)
    clock.advance(72 * HOUR - SECOND)
    report = sweep(workspace, tiktok)
    assert list(report.still_unsettled) == [post.id]
    assert read_post(workspace, post.id).state is S.PROCESSING
    clock.advance(SECOND)
    assert sweep(workspace, tiktok).settled == {post.id: S.UNKNOWN}
    after = read_post(workspace, post.id)
    assert after.reason_code == "no_status"
    assert "acme in the TikTok app" in str(after.fix)
    assert source_exists(workspace, post)


def test_the_72_hours_count_from_the_last_status(
    workspace: Workspace, processing: Publication, clock: Clock, tiktok: AskedTikTok
) -> None:
    clock.advance(71 * HOUR)
    sweep(workspace, tiktok)  # TikTok says that it works on it
    tiktok.told(processing, REFUSED)
    clock.advance(72 * HOUR - SECOND)
    sweep(workspace, tiktok)
    assert read_post(workspace, processing.post_id).state is S.PROCESSING
    clock.advance(SECOND)
    sweep(workspace, tiktok)
    assert read_post(workspace, processing.post_id).state is S.UNKNOWN


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (S.PROCESSING, WORKING),
        (S.PROCESSING, TikTokUnreachableError("no way to TikTok")),
        (S.COMMITTING, TikTokUnreachableError("no way to TikTok")),
    ],
)
def test_a_post_waits_while_tiktok_works_on_it_or_cannot_be_asked(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    tiktok: AskedTikTok,
    state: PostState,
    answer: PublishStatus | Exception,
) -> None:
    post = make_post(account, state=state)
    tiktok.told(make_publication(workspace, post), answer)
    clock.advance(1000 * HOUR)
    report = sweep(workspace, tiktok)
    assert (report.settled, list(report.still_unsettled)) == ({}, [post.id])
    assert read_post(workspace, post.id).state is state


def test_a_post_whose_last_byte_tiktok_awaits_after_its_hour_is_unknown_after_72_hours(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, tiktok: AskedTikTok
) -> None:
    """Nothing can come, nothing is worked on, and without ``uploaded_bytes`` nothing is proved."""
    post = make_post(account, state=S.COMMITTING)
    tiktok.told(make_publication(workspace, post), WORKING)
    clock.advance(72 * HOUR - SECOND)
    assert sweep(workspace, tiktok).settled == {}
    clock.advance(SECOND)
    assert sweep(workspace, tiktok).settled == {post.id: S.UNKNOWN}
    assert f"reelflow posts resolve {post.id}" in str(read_post(workspace, post.id).fix)


def test_an_unknown_post_is_never_sent_again_by_a_sweep(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.UNKNOWN)
    publication = make_publication(workspace, post)
    incomplete = PublishStatus("PROCESSING_UPLOAD", uploaded_bytes=1)
    clock.advance(1000 * HOUR)
    for answer in (WORKING, incomplete, REFUSED, TikTokUnreachableError("no way to TikTok")):
        tiktok.told(publication, answer)
        report = sweep(workspace, tiktok)
        assert (report.settled, list(report.still_unsettled)) == ({}, [post.id])
        assert read_post(workspace, post.id).state is S.UNKNOWN


@pytest.mark.parametrize(("status", "state"), [(LINKED, S.PUBLISHED), (FAILED, S.FAILED)])
def test_an_unknown_post_is_settled_by_tiktoks_final_word(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    status: PublishStatus,
    state: PostState,
) -> None:
    post = make_post(account, state=S.UNKNOWN)
    tiktok.told(make_publication(workspace, post), status)
    assert sweep(workspace, tiktok).settled == {post.id: state}
    assert read_post(workspace, post.id).state is state


PROOF_AFTER = HOUR + timedelta(seconds=LONGEST_PUT_S) + 5 * MINUTE


@pytest.mark.parametrize(
    ("later", "uploaded_bytes", "state"),
    [
        (PROOF_AFTER + SECOND, 1, S.READY),
        (PROOF_AFTER, 1, S.COMMITTING),
        (PROOF_AFTER + SECOND, None, S.COMMITTING),
    ],
)
def test_a_committing_post_is_sent_anew_only_when_its_last_byte_provably_never_came(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    tiktok: AskedTikTok,
    later: timedelta,
    uploaded_bytes: int | None,
    state: PostState,
) -> None:
    post = make_post(account, state=S.COMMITTING)
    publication = make_publication(workspace, post)
    tiktok.told(publication, PublishStatus("PROCESSING_UPLOAD", uploaded_bytes=uploaded_bytes))
    clock.advance(later)
    sweep(workspace, tiktok)
    assert read_post(workspace, post.id).state is state
    with workspace.ledger.read() as session:
        is_current = publications.current(session, post.id) is not None
    assert is_current is (state is S.COMMITTING)


def test_a_sweep_whose_call_hung_does_not_undo_the_last_byte_of_a_newer_publication(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.COMMITTING)
    old = make_publication(workspace, post)
    tiktok.told(old, PublishStatus("PROCESSING_UPLOAD", uploaded_bytes=1))
    clock.advance(PROOF_AFTER + SECOND)

    def another_upload_begins_anew() -> None:
        assert old.publish_id is not None
        reopen(workspace, post.id, old.publish_id, actor="upload", fencing_token=None)
        change_post(workspace, post.id, state=S.COMMITTING)
        make_publication(workspace, read_post(workspace, post.id))

    tiktok.on_call = another_upload_begins_anew
    report = sweep(workspace, tiktok)
    assert (report.settled, list(report.still_unsettled)) == ({}, [post.id])
    assert read_post(workspace, post.id).state is S.COMMITTING
    with workspace.ledger.read() as session:
        current = publications.current(session, post.id)
    assert current is not None
    assert current.state is P.COMMITTING


def test_an_answer_that_was_long_on_its_way_proves_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, tiktok: AskedTikTok
) -> None:
    """What TikTok held when it was asked may not be what it holds when the answer is read."""
    post = make_post(account, state=S.COMMITTING)
    publication = make_publication(workspace, post)
    tiktok.told(publication, PublishStatus("PROCESSING_UPLOAD", uploaded_bytes=1))
    tiktok.on_call = lambda: clock.advance(PROOF_AFTER + HOUR)
    sweep(workspace, tiktok)
    assert read_post(workspace, post.id).state is S.COMMITTING


def test_one_posts_trouble_does_not_stop_the_others(
    workspace: Workspace,
    make_account: Callable[..., Account],
    make_post: MakePost,
    tiktok: AskedTikTok,
) -> None:
    account = make_account("fine")
    limited = make_post(make_account("limited"), state=S.PROCESSING)
    nameless = make_post(account, state=S.COMMITTING)
    locked_out = make_post(make_account("locked"), state=S.PROCESSING)
    fine = make_post(account, state=S.PROCESSING)
    tiktok.told(
        make_publication(workspace, limited),
        TikTokRateLimitedError("slow down", retry_after_s=60),
    )
    make_publication(workspace, nameless, publish_id=None)
    wrong_key = ConfigurationError("REELFLOW_FERNET_KEY is not the key it was stored with")
    tiktok.told(make_publication(workspace, locked_out), wrong_key)
    tiktok.told(make_publication(workspace, fine), LINKED)
    report = sweep(workspace, tiktok)
    assert report.settled == {fine.id: S.PUBLISHED, nameless.id: S.UNKNOWN}
    assert report.cleaned == [fine.id]
    assert report.still_unsettled.keys() == {limited.id, locked_out.id}
    assert "slow down" in report.still_unsettled[limited.id]
    assert "REELFLOW_FERNET_KEY" in report.still_unsettled[locked_out.id]


def test_a_source_that_cannot_be_deleted_does_not_stop_the_others(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stuck, fine = make_post(account, state=S.PUBLISHED), make_post(account, state=S.PUBLISHED)
    for post in (stuck, fine):
        make_publication(workspace, post)
    path, unlink = data_folder(workspace).path(stuck.media.source_path), os.unlink

    def refuse(name: str, **at: int) -> None:
        if name == path.name:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        unlink(name, **at)

    with monkeypatch.context() as immutable:
        immutable.setattr(os, "unlink", refuse)  # the disk, not our own code
        report = sweep(workspace, tiktok)
    assert report.cleaned == [fine.id]
    assert f"post {stuck.id}: its source was not deleted" in caplog.text
    assert {news.post_id for news in report.to_announce} == {stuck.id, fine.id}


def test_a_rejected_file_that_never_reached_the_quarantine_is_moved_there(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.REJECTED)
    sweep(workspace, tiktok)
    after = read_post(workspace, post.id)
    assert after.media.source_path == f"quarantine/{account.name}/{post.id}.mp4"
    assert source_exists(workspace, post)
    assert (data_folder(workspace).quarantine / account.name / f"{post.id}.reason.json").exists()


def test_work_of_dead_runs_is_deleted_and_fresh_work_is_kept(
    workspace: Workspace, clock: Clock, tiktok: AskedTikTok
) -> None:
    store, mib = workspace.folders.store, 1024 * 1024
    upload = store.begin("media/1.mp4", size_bytes=6 * mib, part_size_bytes=5 * mib)
    (begun,) = store.begun()
    clock.set(begun.begun_at + workspace.rules.work_lifetime)
    assert sweep(workspace, tiktok).deleted_work == []
    assert list(store.begun()) == [begun]
    clock.advance(timedelta(microseconds=1))
    assert sweep(workspace, tiktok).deleted_work == [upload.upload_id]
    assert list(store.begun()) == []


def test_an_upload_that_nobody_goes_on_with_is_ended_and_its_parts_deleted(
    workspace: Workspace, clock: Clock, tiktok: AskedTikTok
) -> None:
    uploads = Uploads(workspace)
    upload_id = uploads.open(2 * CHUNK)
    uploads.send(upload_id, 0, video_like(CHUNK))
    clock.advance(SWEPT_AFTER - SECOND)
    assert sweep(workspace, tiktok).expired_uploads == []
    clock.advance(SECOND)
    assert sweep(workspace, tiktok).expired_uploads == [upload_id]
    assert uploads.stored() == []


def test_an_upload_whose_chunks_still_come_is_kept_however_long_ago_it_began(
    workspace: Workspace, clock: Clock, tiktok: AskedTikTok
) -> None:
    uploads = Uploads(workspace)
    upload_id = uploads.open(2 * CHUNK)
    content = video_like(2 * CHUNK)
    uploads.send(upload_id, 0, content[:CHUNK])
    later = clock.advance(workspace.rules.work_lifetime + HOUR)
    uploads.change(upload_id, last_chunk_at=later, expires_at=later + HOUR)
    report = sweep(workspace, tiktok)
    assert (report.expired_uploads, report.deleted_work) == ([], [])
    uploads.send(upload_id, 1, content[CHUNK:])
    assert uploads.finalize(upload_id).is_new


def test_a_store_that_cannot_be_swept_does_not_stop_the_rest(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    tiktok: AskedTikTok,
    caplog: pytest.LogCaptureFixture,
) -> None:
    troubled, store = with_frail_store(workspace)
    upload_id = Uploads(troubled).open(2 * CHUNK)
    stalled = make_post(account, state=S.UPLOADING)
    clock.advance(SWEPT_AFTER)
    store.fail("before abort", StorageUnavailableError("the bucket is away"))
    report = sweep(troubled, tiktok)
    assert report.returned_to_ready == [stalled.id]
    assert report.expired_uploads == []
    told = f"{upload_id} was not deleted, or not all that it stored: the bucket is away"
    assert told in caplog.text
    assert sweep(troubled, tiktok).expired_uploads == [upload_id]


def test_a_second_sweep_finds_nothing_to_do(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    make_publication(workspace, make_post(account, state=S.UPLOADING))
    done = make_post(account, state=S.PROCESSING)
    tiktok.told(make_publication(workspace, done), LINKED)
    make_post(account, state=S.REJECTED)
    sweep(workspace, tiktok)
    mark_announced(workspace, [done.id])
    with workspace.ledger.read() as session:
        before = len(audit.story(session, done.id))
    assert sweep(workspace, tiktok) == SweepReport()
    with workspace.ledger.read() as session:
        assert len(audit.story(session, done.id)) == before


def test_a_post_that_another_process_settled_meanwhile_is_not_made_unknown(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.PROCESSING)
    tiktok.told(make_publication(workspace, post), REFUSED)
    clock.advance(100 * HOUR)
    tiktok.on_call = lambda: change_post(workspace, post.id, state=S.PUBLISHED)
    sweep(workspace, tiktok)
    assert read_post(workspace, post.id).state is S.PUBLISHED


def test_a_done_post_is_left_to_the_run_that_claims_it(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.PUBLISHED, claimed_until=clock() + SECOND)
    make_publication(workspace, post)
    assert sweep(workspace, tiktok) == SweepReport()
    clock.advance(SECOND)
    report = sweep(workspace, tiktok)
    assert (report.cleaned, [news.post_id for news in report.to_announce]) == ([post.id], [post.id])
