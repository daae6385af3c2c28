"""Rows of uploads that nobody asks for any more: old sessions that have their file, old days."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Final

from sqlalchemy import delete, select, tuple_

from reelflow.domain.upload_session import SessionKind, SessionState
from reelflow.ledger.intake_models import QuotaUse, UploadSession
from reelflow.services.workspace import Workspace

#: So long after its file came, whoever finishes an upload once more is told what it became.
FINISHED_KEPT: Final = timedelta(days=7)
#: A day's use counts on that day, and is given back within hours; longer, for who asks about it.
QUOTA_USES_KEPT: Final = timedelta(days=31)
#: What the dashboard shows of a video begins with the session that it came by.
_KEPT_KINDS: Final = frozenset({SessionKind.DASHBOARD})


def delete_old_rows(workspace: Workspace, *, at_once: int = 1000) -> int:
    """Delete the oldest of the rows that are too old.

    :param at_once: most rows of either table; the next sweep comes soon
    :return: how many were deleted
    """
    return _delete_finished_sessions(workspace, at_once) + _delete_quota_uses(workspace, at_once)


def _delete_finished_sessions(workspace: Workspace, at_once: int) -> int:
    before = workspace.ledger.now() - FINISHED_KEPT
    with workspace.ledger.write() as session:
        old = session.scalars(
            select(UploadSession.id)
            .where(
                UploadSession.state == SessionState.FINISHED,
                UploadSession.expires_at < before,  # what the index knows
                UploadSession.ended_at < before,
                UploadSession.kind.not_in(_KEPT_KINDS),
            )
            .order_by(UploadSession.expires_at)
            .limit(at_once)
        ).all()
        session.execute(delete(UploadSession).where(UploadSession.id.in_(old)))
    return len(old)


def _delete_quota_uses(workspace: Workspace, at_once: int) -> int:
    before = (workspace.ledger.now() - QUOTA_USES_KEPT).astimezone(UTC).date()
    day_of_user = tuple_(QuotaUse.user_id, QuotaUse.day)
    with workspace.ledger.write() as session:
        old = [
            tuple(key)
            for key in session.execute(
                select(QuotaUse.user_id, QuotaUse.day)
                .where(QuotaUse.day < before)
                .order_by(QuotaUse.day)
                .limit(at_once)
            )
        ]
        session.execute(delete(QuotaUse).where(day_of_user.in_(old)))
    return len(old)
