from __future__ import annotations

from datetime import timedelta

import pytest

from reelflow.domain.upload_session import (
    ENDED,
    SESSION_LIFETIME,
    SWEPT_AFTER,
    SessionKind,
    SessionState,
)
from reelflow.exceptions import IllegalTransitionError
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.services.workspace import Workspace
from tests.factories import Clock, make_upload_session
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES
STEP = timedelta(seconds=1)


def read(workspace: Workspace, session_id: str) -> UploadSession:
    with workspace.ledger.read() as session:
        row = upload_sessions.get(session, session_id)
    assert row is not None
    return row


def overdue(workspace: Workspace, limit: int = 10) -> list[str]:
    with workspace.ledger.read() as session:
        rows = upload_sessions.overdue(session, now=workspace.ledger.now(), limit=limit)
    return [row.id for row in rows]


def test_what_is_stored_comes_back(workspace: Workspace, clock: Clock) -> None:
    made = make_upload_session(
        workspace, wish={"caption": "ä"}, size_bytes=2**40, quota_day=clock().date()
    )
    row = read(workspace, made.id)
    assert (row.kind, row.state) == (SessionKind.CHUNKED, SessionState.OPEN)
    assert (row.wish, row.size_bytes, row.quota_day) == ({"caption": "ä"}, 2**40, clock().date())
    assert (row.reserved_uploads, row.reserved_bytes) == (0, 0)


@pytest.mark.parametrize("end", [state for state in SessionState if state in ENDED])
def test_a_session_goes_on_to_its_end(
    workspace: Workspace, clock: Clock, end: SessionState
) -> None:
    made = make_upload_session(workspace)
    if end is not SessionState.EXPIRED:
        clock.advance(STEP)
        with workspace.ledger.write() as session:
            row = upload_sessions.move(session, made.id, SessionState.FINISHING, now=clock())
        assert row is not None
        assert (row.state_since, row.ended_at) == (clock(), None)
    clock.advance(STEP)
    with workspace.ledger.write() as session:
        upload_sessions.move(session, made.id, end, now=clock())
    row = read(workspace, made.id)
    assert (row.state, row.state_since, row.ended_at) == (end, clock(), clock())


def test_an_illegal_step_changes_nothing(workspace: Workspace, clock: Clock) -> None:
    made = make_upload_session(workspace)
    with pytest.raises(IllegalTransitionError), workspace.ledger.write() as session:
        upload_sessions.move(session, made.id, SessionState.FINISHED, now=clock() + STEP)
    row = read(workspace, made.id)
    assert (row.state, row.state_since, row.ended_at) == (SessionState.OPEN, clock(), None)


def test_there_is_no_session_of_another_id(workspace: Workspace, clock: Clock) -> None:
    with workspace.ledger.write() as session:
        assert upload_sessions.get(session, "nothing", lock=True) is None
        assert upload_sessions.move(session, "x", SessionState.CANCELLED, now=clock()) is None


def test_a_session_lives_on_from_its_last_chunk_and_is_overdue_two_hours_after(
    workspace: Workspace, clock: Clock
) -> None:
    made = make_upload_session(workspace)
    clock.advance(SESSION_LIFETIME - STEP)
    with workspace.ledger.write() as session:
        row = upload_sessions.get(session, made.id, lock=True)
        assert row is not None
        upload_sessions.touch(row, now=clock())
    assert read(workspace, made.id).expires_at == clock() + SESSION_LIFETIME
    clock.advance(SWEPT_AFTER - STEP)
    assert overdue(workspace) == []
    clock.advance(STEP)
    assert overdue(workspace) == [made.id]


def test_the_longest_overdue_comes_first_and_what_ended_not_at_all(
    workspace: Workspace, clock: Clock
) -> None:
    made = []
    for state in (SessionState.OPEN, SessionState.FINISHING, *sorted(ENDED)):
        made.append(make_upload_session(workspace, state=state).id)
        clock.advance(STEP)
    clock.advance(SWEPT_AFTER)
    assert overdue(workspace) == made[:2]
    assert overdue(workspace, limit=1) == made[:1]
