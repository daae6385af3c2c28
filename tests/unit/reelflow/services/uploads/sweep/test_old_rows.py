"""Rows of uploads are deleted when nobody asks for them any more, a batch at a time."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from reelflow.domain.upload_session import SessionKind, SessionState
from reelflow.ledger.intake_models import QuotaUse, UploadSession
from reelflow.services import quotas
from reelflow.services.uploads.sweep.expiry import expire_uploads
from reelflow.services.uploads.sweep.old_rows import FINISHED_KEPT, QUOTA_USES_KEPT, delete_old_rows
from reelflow.services.workspace import Workspace
from tests.factories import ACTOR, Clock, make_upload_session
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MOMENT = timedelta(seconds=1)
NOT_DASHBOARD = sorted(set(SessionKind) - {SessionKind.DASHBOARD})


def finished(workspace: Workspace, kind: SessionKind = SessionKind.CHUNKED) -> str:
    now = workspace.ledger.now()
    row = make_upload_session(
        workspace, kind=kind, state=SessionState.FINISHED, ended_at=now, expires_at=now
    )
    return row.id


def session_ids(workspace: Workspace) -> set[str]:
    with workspace.ledger.read() as session:
        return {row.id for row in session.query(UploadSession)}


def used_days(workspace: Workspace) -> list[tuple[str, date]]:
    with workspace.ledger.read() as session:
        return sorted((use.user_id, use.day) for use in session.query(QuotaUse))


def use(workspace: Workspace, user_id: str) -> date:
    with workspace.ledger.write() as session:
        now = workspace.ledger.now()
        return quotas.reserve(session, user_id, uploads=1, size_bytes=10, now=now)


@pytest.mark.parametrize("kind", NOT_DASHBOARD)
def test_an_upload_that_has_its_file_is_told_of_for_a_week(
    workspace: Workspace, clock: Clock, kind: SessionKind
) -> None:
    old = finished(workspace, kind)
    clock.advance(FINISHED_KEPT)
    assert delete_old_rows(workspace) == 0
    young = finished(workspace, kind)
    clock.advance(MOMENT)
    assert session_ids(workspace) == {old, young}
    assert delete_old_rows(workspace) == 1
    assert session_ids(workspace) == {young}


def test_a_session_that_ended_long_after_its_time_is_kept_from_then(
    workspace: Workspace, clock: Clock
) -> None:
    now = workspace.ledger.now()
    late = now + timedelta(days=3)
    row = make_upload_session(workspace, state=SessionState.FINISHED, expires_at=now, ended_at=late)
    clock.advance(FINISHED_KEPT + MOMENT)
    assert delete_old_rows(workspace) == 0
    assert session_ids(workspace) == {row.id}


def test_what_the_dashboard_shows_videos_by_is_kept(workspace: Workspace, clock: Clock) -> None:
    kept = finished(workspace, SessionKind.DASHBOARD)
    clock.advance(timedelta(days=400))
    assert delete_old_rows(workspace) == 0
    assert session_ids(workspace) == {kept}


@pytest.mark.parametrize("state", sorted(set(SessionState) - {SessionState.FINISHED}))
def test_sessions_without_their_file_are_for_others_to_end(
    workspace: Workspace, clock: Clock, state: SessionState
) -> None:
    now = workspace.ledger.now()
    row = make_upload_session(workspace, state=state, expires_at=now, ended_at=now)
    clock.advance(FINISHED_KEPT + MOMENT)
    assert delete_old_rows(workspace) == 0
    assert session_ids(workspace) == {row.id}


def test_a_days_use_is_kept_for_a_month(workspace: Workspace, clock: Clock) -> None:
    first = use(workspace, "anna"), use(workspace, "ben")
    clock.advance(timedelta(days=1))
    second = use(workspace, "anna")
    clock.set(workspace.ledger.now() + QUOTA_USES_KEPT - timedelta(days=1))
    assert delete_old_rows(workspace) == 0
    clock.advance(timedelta(days=1))
    assert used_days(workspace) == sorted([("anna", first[0]), ("anna", second), ("ben", first[1])])
    assert delete_old_rows(workspace) == 2
    assert used_days(workspace) == [("anna", second)]


def test_many_rows_go_in_batches_the_oldest_first(workspace: Workspace, clock: Clock) -> None:
    rows = []
    for _ in range(3):
        rows.append(finished(workspace))
        use(workspace, "anna")
        clock.advance(timedelta(days=1))
    clock.advance(QUOTA_USES_KEPT)
    assert delete_old_rows(workspace, at_once=2) == 4
    assert session_ids(workspace) == {rows[2]}
    assert len(used_days(workspace)) == 1
    assert delete_old_rows(workspace, at_once=2) == 2
    assert (session_ids(workspace), used_days(workspace)) == (set(), [])


def test_the_sweep_deletes_them(workspace: Workspace, clock: Clock) -> None:
    finished(workspace)
    use(workspace, "anna")
    clock.advance(QUOTA_USES_KEPT + timedelta(days=1))
    assert expire_uploads(workspace, actor=ACTOR) == []
    assert (session_ids(workspace), used_days(workspace)) == (set(), [])
