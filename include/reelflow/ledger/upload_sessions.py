"""Upload sessions in the ledger: finding them, and moving them along their table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reelflow.domain.upload_session import (
    ENDED,
    SESSION_LIFETIME,
    SWEPT_AFTER,
    SessionKind,
    SessionState,
    check_transition,
)
from reelflow.ledger.intake_models import UploadSession


def get(session: Session, session_id: str, *, lock: bool = False) -> UploadSession | None:
    """Return an upload session.

    :param lock: hold its row until the transaction ends
    """
    query = (
        select(UploadSession)
        .where(UploadSession.id == session_id)
        .execution_options(populate_existing=True)
    )
    return session.scalar(query.with_for_update() if lock else query)


def touch(row: UploadSession, *, now: datetime) -> None:
    """Let a session live on from now: a chunk came."""
    row.last_chunk_at = now
    row.expires_at = now + SESSION_LIFETIME


def move(
    session: Session, session_id: str, to: SessionState, *, now: datetime
) -> UploadSession | None:
    """Move a session one step along its table; its row is held until the transaction ends.

    :return: None when there is no such session
    :raises IllegalTransitionError: the table has no such step; nothing was changed
    """
    row = get(session, session_id, lock=True)
    if row is None:
        return None
    check_transition(row.state, to)
    row.state = to
    row.state_since = now
    if to in ENDED:
        row.ended_at = now
    session.flush()
    return row


def overdue(session: Session, *, now: datetime, limit: int) -> Sequence[UploadSession]:
    """Return sessions whose time to be swept has come, the longest overdue first."""
    return session.scalars(
        select(UploadSession)
        .where(
            UploadSession.state.in_((SessionState.OPEN, SessionState.FINISHING)),
            UploadSession.expires_at <= now - (SWEPT_AFTER - SESSION_LIFETIME),
        )
        .order_by(UploadSession.expires_at)
        .limit(limit)
    ).all()


def unused(
    session: Session, user_id: str, *, kind: SessionKind, now: datetime
) -> tuple[int, datetime | None]:
    """Return how many sessions a user has open, and when the first of them is over."""
    count, first_over = session.execute(
        select(func.count(), func.min(UploadSession.expires_at)).where(
            UploadSession.user_id == user_id,
            UploadSession.kind == kind,
            UploadSession.state == SessionState.OPEN,
            UploadSession.expires_at > now,
        )
    ).one()
    return count, first_over


def in_store(session: Session) -> frozenset[str]:
    """Return the store's ids of all uploads that sessions go on with."""
    going_on = (SessionState.OPEN, SessionState.FINISHING)
    return frozenset(
        upload_id
        for upload_id in session.scalars(
            select(UploadSession.storage_upload_id).where(UploadSession.state.in_(going_on))
        )
        if upload_id is not None
    )
