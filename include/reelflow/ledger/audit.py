"""The audit trail: rows are added with each step of a post and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from reelflow.ledger.models import AuditEntry


def record(
    session: Session,
    *,
    post_id: int,
    at: datetime,
    actor: str,
    why: str,
    from_state: str | None = None,
    to_state: str | None = None,
    publication_id: int | None = None,
) -> None:
    """Add one row.

    :param actor: the run and task, or the person, that did it
    :param why: one sentence without secrets
    """
    session.add(
        AuditEntry(
            post_id=post_id,
            publication_id=publication_id,
            at=at,
            actor=actor,
            from_state=from_state,
            to_state=to_state,
            why=why,
        )
    )


def story(session: Session, post_id: int) -> Sequence[AuditEntry]:
    """Return all rows of a post, oldest first."""
    return session.scalars(
        select(AuditEntry).where(AuditEntry.post_id == post_id).order_by(AuditEntry.id)
    ).all()
