"""How sessions end, with a file and without: what is left of them in ledger, store and quota."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.upload_session import SessionState
from reelflow.exceptions import IllegalTransitionError, StorageUnavailableError
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Media
from reelflow.services import quotas
from reelflow.services.uploads.endings import discard, end, end_with_file
from reelflow.services.uploads.wishes import add_media
from reelflow.services.workspace import Workspace
from tests.chunked_uploads import ANNA
from tests.factories import Clock, make_upload_session
from tests.frail_store import FrailStore
from tests.left_behind import reserved, used
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

KEY = "media/a.mp4"


def reserving(workspace: Workspace, **columns: Any) -> UploadSession:
    """Return a session that is being finished; it reserved more than its file has."""
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        day = quotas.reserve(session, "anna", uploads=1, size_bytes=9, now=now)
    values = {
        "state": SessionState.FINISHING,
        "size_bytes": 5,
        "storage_key": KEY,
        "quota_day": day,
        "reserved_uploads": 1,
        "reserved_bytes": 9,
    }
    return make_upload_session(workspace, **values | columns)


def finish(workspace: Workspace, row: UploadSession) -> UploadSession:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        media = add_media(session, row, user=ANNA, now=now)
        return end_with_file(session, media, now=now)


def give_up(workspace: Workspace, row: UploadSession, **how: Any) -> UploadSession:
    """End a session, and return its row as it is now."""
    with workspace.ledger.write() as session:
        end(session, row.id, SessionState.CANCELLED, now=workspace.ledger.now(), **how)
        return session.get_one(UploadSession, row.id)


def found(workspace: Workspace, row: UploadSession) -> UploadSession | None:
    with workspace.ledger.read() as session:
        return upload_sessions.get(session, row.id)


def test_a_file_is_counted_by_its_size_in_place_of_what_was_reserved(workspace: Workspace) -> None:
    row = finish(workspace, reserving(workspace))
    assert (used(workspace), reserved(workspace)) == ((1, 5), (0, 0))
    assert (row.state, row.media_id, row.post_id) == (SessionState.FINISHED, row.id, None)
    assert (row.reserved_uploads, row.reserved_bytes) == (0, 0)


def test_a_file_counts_on_the_day_on_which_its_room_was_reserved(
    workspace: Workspace, clock: Clock
) -> None:
    row = reserving(workspace)
    clock.advance(timedelta(days=1))
    finish(workspace, row)
    with workspace.ledger.read() as session:
        today = quotas.left(session, "anna", workspace.ledger.now())
    assert (today.used_uploads, today.used_bytes) == (0, 0)
    assert (used(workspace), reserved(workspace)) == ((1, 5), (0, 0))


def test_a_session_that_reserved_nothing_counts_nothing(workspace: Workspace) -> None:
    row = make_upload_session(
        workspace, state=SessionState.FINISHING, size_bytes=5, storage_key=KEY
    )
    assert finish(workspace, row).state is SessionState.FINISHED
    assert used(workspace) == reserved(workspace) == (0, 0)


def test_a_file_that_comes_after_the_end_of_its_session_changes_nothing(
    workspace: Workspace,
) -> None:
    row = reserving(workspace)
    give_up(workspace, row)
    with pytest.raises(IllegalTransitionError):
        finish(workspace, row)
    assert used(workspace) == reserved(workspace) == (0, 0)
    with workspace.ledger.read() as session:
        assert session.get(Media, row.id) is None


def test_without_a_file_what_was_reserved_and_written_down_goes(workspace: Workspace) -> None:
    row = reserving(workspace)
    with workspace.ledger.write() as session:
        add_media(session, row, user=ANNA, now=workspace.ledger.now())
    give_up(workspace, row)
    assert used(workspace) == reserved(workspace) == (0, 0)
    with workspace.ledger.read() as session:
        assert session.get(Media, row.id) is None
    assert discard(workspace, row)
    assert found(workspace, row) is None
    assert discard(workspace, row)  # again


def test_an_end_that_is_explained_stays_without_anything_stored(
    frail: tuple[Workspace, FrailStore],
) -> None:
    workspace, store = frail
    told = {"reason": "not_this_media", "message": "no video"}
    store.put(KEY, b"video", size_bytes=5)
    row = give_up(workspace, reserving(workspace), error=told)
    assert discard(workspace, row, begun=())
    kept = found(workspace, row)
    assert kept is not None
    assert (kept.storage_key, kept.error) == (None, told)
    assert store.stat(KEY) is None


def test_a_row_stays_until_its_file_is_deleted(frail: tuple[Workspace, FrailStore]) -> None:
    workspace, store = frail
    row = reserving(workspace)
    store.put(KEY, b"video", size_bytes=5)
    give_up(workspace, row)
    store.fail("before delete", StorageUnavailableError("storage is away"))
    with pytest.raises(StorageUnavailableError):
        discard(workspace, row, begun=())
    assert found(workspace, row) is not None
    assert discard(workspace, row, begun=())
    assert (found(workspace, row), store.stat(KEY)) == (None, None)


def test_what_may_still_be_stored_is_deleted_once_more(
    frail: tuple[Workspace, FrailStore], clock: Clock
) -> None:
    workspace, store = frail
    row = reserving(workspace)
    give_up(workspace, row, is_overtaken=True)
    assert not discard(workspace, row, begun=())
    store.put(KEY, b"video", size_bytes=5)  # only now, by whoever was overtaken
    clock.advance(timedelta(hours=2))
    assert discard(workspace, row, begun=())
    assert (found(workspace, row), store.stat(KEY)) == (None, None)
