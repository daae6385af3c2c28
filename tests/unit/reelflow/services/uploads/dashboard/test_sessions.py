"""Sessions of the dashboard: who may use them, when, and what is left of those given up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from reelflow.domain.upload_session import SessionState
from reelflow.exceptions import (
    QuotaExceededError,
    StorageUnavailableError,
    TerminalError,
)
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.services.uploads.dashboard.sessions import (
    OPEN_MAX,
    CleanUp,
    SessionStatus,
    cancel,
    give_up,
    open_session,
    reserve_room,
    status_of,
    use_session,
)
from reelflow.services.uploads.sweep.expiry import expire_uploads
from reelflow.services.workspace import Workspace
from tests.chunked_uploads import ANNA, BEN
from tests.factories import Clock
from tests.frail_store import FrailStore
from tests.intake_users import limit_user
from tests.left_behind import reserved
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

KEY = "dashboard-uploads/anna/a.mp4"


def status(workspace: Workspace, session_id: str) -> SessionStatus:
    return status_of(workspace, ANNA, session_id)[0]


def begin(workspace: Workspace, session_id: str) -> None:
    """Use a session for a file of seven bytes."""
    use_session(workspace, ANNA, session_id)
    reserve_room(workspace, session_id, size_bytes=7)


def store_object(workspace: Workspace, session_id: str) -> None:
    """Leave an upload as a process does that dies before it wrote its file down."""
    workspace.folders.store.put(KEY, b"video", size_bytes=5)
    with workspace.ledger.write() as session:
        row = upload_sessions.get(session, session_id, lock=True)
        assert row is not None
        row.storage_key = KEY


def test_a_session_lives_an_hour_and_is_gone_after_two(workspace: Workspace, clock: Clock) -> None:
    session_id = open_session(workspace, ANNA).id
    clock.advance(timedelta(minutes=59))
    assert status(workspace, session_id) is SessionStatus.ACTIVE
    clock.advance(timedelta(minutes=1))
    assert status(workspace, session_id) is SessionStatus.EXPIRED
    with pytest.raises(TerminalError, match="open a new one"):
        use_session(workspace, ANNA, session_id)
    clock.advance(timedelta(hours=1))
    assert expire_uploads(workspace, actor="sweep") == [session_id]
    assert status(workspace, session_id) is SessionStatus.INVALID


def test_a_session_of_somebody_else_is_none(workspace: Workspace) -> None:
    session_id = open_session(workspace, ANNA).id
    assert status_of(workspace, BEN, session_id) == (SessionStatus.INVALID, None)
    for use in (
        lambda: use_session(workspace, BEN, session_id),
        lambda: cancel(workspace, BEN, session_id),
    ):
        with pytest.raises(TerminalError) as caught:
            use()
        assert caught.value.code == "session_not_found"
    assert status(workspace, session_id) is SessionStatus.ACTIVE


def test_of_two_files_at_once_a_session_takes_one(workspace: Workspace) -> None:
    session_id = open_session(workspace, ANNA).id

    def uses(_: int) -> str:
        try:
            use_session(workspace, ANNA, session_id)
        except TerminalError as exc:
            return exc.code
        return "used"

    refused = ["session_not_found"] * 3
    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(uses, range(4))) == [*refused, "used"]


def test_a_session_that_takes_its_file_takes_no_other_and_says_so(
    workspace: Workspace, clock: Clock
) -> None:
    session_id = open_session(workspace, ANNA).id
    begin(workspace, session_id)
    assert status(workspace, session_id) is SessionStatus.INVALID
    clock.advance(timedelta(hours=1))
    assert status(workspace, session_id) is SessionStatus.INVALID


def test_sessions_reserve_nothing_until_a_file_comes(workspace: Workspace) -> None:
    limit_user(workspace, uploads_per_day=1)
    first, second = open_session(workspace, ANNA).id, open_session(workspace, ANNA).id
    assert reserved(workspace) == (0, 0)
    begin(workspace, first)
    assert status(workspace, second) is SessionStatus.ACTIVE
    with pytest.raises(QuotaExceededError):
        begin(workspace, second)
    with pytest.raises(QuotaExceededError):
        open_session(workspace, ANNA)
    assert reserved(workspace) == (1, 7)
    assert give_up(workspace, second) == CleanUp(session_closed=True)
    assert reserved(workspace) == (1, 7)


def test_a_user_opens_only_so_many_sessions_without_using_them(
    workspace: Workspace, clock: Clock
) -> None:
    opened = [open_session(workspace, ANNA).id for _ in range(OPEN_MAX - 1)]
    clock.advance(timedelta(minutes=20))
    opened.append(open_session(workspace, ANNA).id)
    with pytest.raises(QuotaExceededError) as refused:
        open_session(workspace, ANNA)
    assert refused.value.code == "too_many_sessions"
    assert refused.value.retry_after_s == 40 * 60  # when the first of them is over
    assert reserved(workspace) == (0, 0)
    open_session(workspace, BEN)  # whose are counted apart
    cancel(workspace, ANNA, opened[0])
    begin(workspace, opened[1])
    for _ in range(2):
        open_session(workspace, ANNA)
    with pytest.raises(QuotaExceededError):
        open_session(workspace, ANNA)
    clock.advance(timedelta(minutes=40))  # all but three have expired, and nobody swept them yet
    open_session(workspace, ANNA)


def test_of_sessions_that_are_opened_at_once_none_is_one_too_many(workspace: Workspace) -> None:
    for _ in range(OPEN_MAX - 2):
        open_session(workspace, ANNA)

    def is_opened(_: int) -> bool:
        try:
            open_session(workspace, ANNA)
        except QuotaExceededError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(is_opened, range(4))) == [False, False, True, True]


def test_what_a_session_given_up_has_reserved_and_stored_goes(
    frail: tuple[Workspace, FrailStore],
) -> None:
    workspace, store = frail
    session_id = open_session(workspace, ANNA).id
    begin(workspace, session_id)
    store_object(workspace, session_id)
    assert give_up(workspace, session_id) == CleanUp(session_closed=True, object_deleted=True)
    assert reserved(workspace) == (0, 0)
    assert list(store.list("dashboard-uploads")) == []
    assert give_up(workspace, session_id) == CleanUp()


def test_there_is_no_room_for_the_video_of_a_session_that_was_given_up_meanwhile(
    workspace: Workspace,
) -> None:
    session_id = open_session(workspace, ANNA).id
    use_session(workspace, ANNA, session_id)
    cancel(workspace, ANNA, session_id)
    with pytest.raises(TerminalError) as caught:
        reserve_room(workspace, session_id, size_bytes=7)
    assert caught.value.code == "session_not_found"
    assert reserved(workspace) == (0, 0)


def test_what_storage_does_not_delete_is_deleted_by_the_sweep(
    frail: tuple[Workspace, FrailStore],
) -> None:
    workspace, store = frail
    session_id = open_session(workspace, ANNA).id
    begin(workspace, session_id)
    store_object(workspace, session_id)
    store.fail("before delete", StorageUnavailableError("storage is away"))
    assert give_up(workspace, session_id) == CleanUp(session_closed=True, object_deleted=False)
    assert reserved(workspace) == (0, 0)
    assert status(workspace, session_id) is SessionStatus.INVALID
    assert expire_uploads(workspace, actor="sweep") == [session_id]
    assert list(store.list("dashboard-uploads")) == []


def test_a_session_that_has_its_file_is_not_given_up(workspace: Workspace) -> None:
    session_id = open_session(workspace, ANNA).id
    begin(workspace, session_id)
    with workspace.ledger.write() as session:
        upload_sessions.move(session, session_id, SessionState.FINISHED, now=workspace.ledger.now())
    assert give_up(workspace, session_id) == CleanUp()
    with workspace.ledger.read() as session:
        assert session.get_one(UploadSession, session_id).state is SessionState.FINISHED
