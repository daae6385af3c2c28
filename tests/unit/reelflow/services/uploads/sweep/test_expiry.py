from __future__ import annotations

from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.upload_session import SessionKind, SessionState
from reelflow.exceptions import (
    MediaRejectedError,
    ReelflowError,
    StorageAccessError,
    StorageUnavailableError,
    TerminalError,
)
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.uploads.chunked.sessions import cancel
from reelflow.services.uploads.sweep.expiry import expire_uploads
from tests.chunked_uploads import CHUNK, WISH, Uploads, video_like
from tests.factories import Clock, change_post
from tests.frail_store import Died, FrailStore

CONTENT = video_like(CHUNK + 1000)
HOUR = timedelta(hours=1)


def sweep(uploads: Uploads) -> list[str]:
    return expire_uploads(uploads.workspace, actor="tests")


def assert_nothing_is_left(uploads: Uploads) -> None:
    assert (uploads.count(UploadSession), uploads.stored()) == (0, [])
    assert uploads.use() == (0, 0, 0, 0)


def test_an_upload_is_swept_two_hours_after_its_last_chunk(uploads: Uploads, clock: Clock) -> None:
    upload_id = uploads.open(CONTENT)
    clock.advance(HOUR / 2)
    uploads.send(upload_id, 0, CONTENT[:CHUNK])
    clock.advance(2 * HOUR - timedelta(seconds=1))
    assert sweep(uploads) == []
    assert uploads.status(upload_id).is_expired
    clock.advance(timedelta(seconds=1))
    assert sweep(uploads) == [upload_id]
    assert_nothing_is_left(uploads)
    with pytest.raises(TerminalError, match="no such upload"):
        uploads.status(upload_id)
    assert sweep(uploads) == []


def test_uploads_that_live_and_those_that_are_finished_are_left_alone(
    uploads: Uploads, clock: Clock
) -> None:
    finished = uploads.sent(CONTENT)
    media = uploads.finalize(finished).media
    clock.advance(2 * HOUR)
    living = uploads.sent(CONTENT)
    assert sweep(uploads) == []
    assert uploads.status(living).missing == []
    assert uploads.finalize(finished).media.id == media.id
    assert media.source_path in uploads.stored()


@pytest.mark.parametrize("at", ["before complete", "after complete"])
def test_what_died_while_it_was_finished_is_finished(
    uploads: Uploads, account: Account, store: FrailStore, clock: Clock, at: str
) -> None:
    upload_id = uploads.sent(CONTENT, post=WISH)
    store.fail(at)
    with pytest.raises(Died):
        uploads.finalize(upload_id)
    clock.advance(2 * HOUR)
    assert sweep(uploads) == []
    done = uploads.finalize(upload_id)
    assert done.post is not None
    assert (done.post.user_id, done.post.state, done.is_new) == ("anna", PostState.READY, False)
    assert uploads.stored() == [done.media.source_path]


def test_what_died_while_it_was_finished_is_dropped_when_its_post_does_not_wait_any_more(
    uploads: Uploads, account: Account, store: FrailStore, clock: Clock
) -> None:
    post = uploads.finalize(uploads.sent(CONTENT, post=WISH)).post
    assert post is not None
    change_post(uploads.workspace, post.id, user_id="ben")
    upload_id = uploads.sent(CONTENT)
    store.fail("after complete")
    with pytest.raises(Died):
        uploads.finalize(upload_id)
    uploads.change(upload_id, post_id=post.id)
    clock.advance(2 * HOUR)
    assert sweep(uploads) == [upload_id]
    assert len(uploads.stored()) == uploads.count(Media) == uploads.count(Post) == 1


@pytest.mark.parametrize("error", [StorageUnavailableError("s3"), StorageAccessError("s3")])
def test_what_storage_cannot_finish_now_is_finished_by_a_later_sweep(
    uploads: Uploads, store: FrailStore, clock: Clock, error: ReelflowError
) -> None:
    upload_id = uploads.sent(CONTENT)
    store.fail("before complete")
    with pytest.raises(Died):
        uploads.finalize(upload_id)
    clock.advance(2 * HOUR)
    store.fail("before complete", error)
    assert sweep(uploads) == []
    assert uploads.state(upload_id) is SessionState.FINISHING
    sweep(uploads)
    assert uploads.state(upload_id) is SessionState.FINISHED


@pytest.mark.both_databases
def test_an_upload_that_cannot_be_ended_stops_no_other(
    uploads: Uploads, account: Account, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A post holds on to its record, which the database does not let go."""
    posted, other = uploads.sent(CONTENT), uploads.open(CONTENT)
    assert uploads.finalize(posted, post=WISH).post is not None
    uploads.change(posted, state=SessionState.FINISHING, kind=SessionKind.DASHBOARD)
    clock.advance(2 * HOUR)
    assert sweep(uploads) == [other]
    assert f"upload {posted} was not ended" in caplog.text
    assert uploads.state(posted) is SessionState.FINISHING


@pytest.mark.parametrize("at", ["before abort", "before delete"])
@pytest.mark.parametrize(
    "error", [StorageUnavailableError("s3"), ValueError("a bug of ours"), Died()]
)
def test_what_a_sweep_could_not_delete_the_next_one_does(
    uploads: Uploads, store: FrailStore, clock: Clock, at: str, error: BaseException
) -> None:
    first, second = uploads.sent(CONTENT), uploads.sent(CONTENT)
    clock.advance(2 * HOUR)
    store.fail(at, error)
    if isinstance(error, Died):
        with pytest.raises(Died):
            sweep(uploads)
    else:
        assert sweep(uploads) == [second]  # one's trouble is not the other's
    assert first in sweep(uploads)
    assert_nothing_is_left(uploads)


@pytest.mark.parametrize("at", ["before abort", "before delete"])
def test_what_died_while_it_was_cancelled_is_deleted_by_the_next_sweep(
    uploads: Uploads, store: FrailStore, at: str
) -> None:
    upload_id = uploads.sent(CONTENT)
    store.fail(at)
    with pytest.raises(Died):
        cancel(uploads.workspace, uploads.user, upload_id)
    assert sweep(uploads) == [upload_id]
    assert_nothing_is_left(uploads)


def test_a_refused_upload_explains_itself_for_two_hours(uploads: Uploads, clock: Clock) -> None:
    upload_id = uploads.sent(b"<html>" + bytes(100))
    with pytest.raises(MediaRejectedError):
        uploads.finalize(upload_id)
    clock.advance(2 * HOUR - timedelta(seconds=1))
    assert sweep(uploads) == []
    with pytest.raises(MediaRejectedError):
        uploads.finalize(upload_id)
    clock.advance(timedelta(seconds=1))
    assert sweep(uploads) == [upload_id]
    assert_nothing_is_left(uploads)


@pytest.mark.parametrize("at", ["before abort", "before delete"])
def test_what_died_while_it_was_refused_keeps_its_reason_and_loses_its_file(
    uploads: Uploads, store: FrailStore, at: str
) -> None:
    upload_id = uploads.sent(b"<html>" + bytes(100))
    store.fail(at)
    with pytest.raises(Died):
        uploads.finalize(upload_id)
    sweep(uploads)
    assert uploads.stored() == []
    with pytest.raises(MediaRejectedError, match="not taken in"):
        uploads.finalize(upload_id)


@pytest.mark.parametrize("kind", [SessionKind.PRESIGNED, SessionKind.DASHBOARD, SessionKind.WHOLE])
@pytest.mark.parametrize("state", [SessionState.OPEN, SessionState.FINISHING])
def test_sessions_of_other_kinds_lose_what_lies_under_their_key(
    uploads: Uploads, clock: Clock, kind: SessionKind, state: SessionState
) -> None:
    upload_id = uploads.open(CONTENT)
    row = uploads.row(upload_id)
    assert row is not None
    assert row.storage_key is not None
    store = uploads.workspace.folders.store
    store.put(row.storage_key, b"half a file", size_bytes=11)
    uploads.change(upload_id, kind=kind, state=state, storage_upload_id=None)
    clock.advance(2 * HOUR)
    assert sweep(uploads) == [upload_id]
    assert_nothing_is_left(uploads)


def test_a_chunk_that_comes_while_the_sweep_looks_saves_its_upload(
    uploads: Uploads, store: FrailStore, clock: Clock
) -> None:
    first, second = uploads.open(CONTENT), uploads.open(CONTENT)
    uploads.change(first, state=SessionState.FINISHING)  # so that the sweep calls the store first
    clock.advance(2 * HOUR)

    def touch() -> None:
        uploads.change(second, last_chunk_at=clock(), expires_at=clock() + HOUR)

    store.meanwhile("before complete", touch)
    sweep(uploads)
    assert uploads.send(second, 0, CONTENT[:CHUNK]).received_chunks == 1


def test_what_storage_puts_together_after_a_cancel_goes_with_the_sweep(
    uploads: Uploads, store: FrailStore, clock: Clock
) -> None:
    """S3 may complete an upload after it was cancelled, for a process that is dead by then."""
    upload_id = uploads.sent(CONTENT)
    store.fail("before complete")
    with pytest.raises(Died):
        uploads.finalize(upload_id)
    row = uploads.row(upload_id)
    assert row is not None
    assert row.storage_key is not None
    cancel(uploads.workspace, uploads.user, upload_id)
    assert (uploads.stored(), uploads.use()) == ([], (0, 0, 0, 0))
    with pytest.raises(TerminalError, match="no such upload"):
        uploads.status(upload_id)
    assert sweep(uploads) == []
    store.put(row.storage_key, CONTENT, size_bytes=len(CONTENT))
    clock.advance(2 * HOUR)
    assert sweep(uploads) == [upload_id]
    assert_nothing_is_left(uploads)
