"""The audit trail: rows are added with each step of a post and never changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    trouble: str | None = None,
) -> None:
    """Add one row.

    :param actor: the run and task, or the person, that did it
    :param why: one sentence without secrets
    :param trouble: the part of it that is not for users, because it may name hosts and paths
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
            trouble=trouble,
        )
    )


def troubles(session: Session, post_ids: Collection[int]) -> dict[int, set[str]]:
    """Return what posts' users may not read of their stories, by post."""
    found: dict[int, set[str]] = {}
    query = select(AuditEntry.post_id, AuditEntry.trouble).where(
        AuditEntry.post_id.in_(post_ids), AuditEntry.trouble.is_not(None)
    )
    for post_id, trouble in session.execute(query.distinct()):
        found.setdefault(post_id, set()).add(str(trouble))
    return found


def story(session: Session, post_id: int) -> Sequence[AuditEntry]:
    """Return all rows of a post, oldest first."""
    return session.scalars(
        select(AuditEntry).where(AuditEntry.post_id == post_id).order_by(AuditEntry.id)
    ).all()
