"""The audit trail: rows are added with each step of a post and never changed.

That somebody was told of a post is such a row, too: each way of telling has words of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, exists, not_, select
from sqlalchemy.orm import Session

from reelflow.ledger.models import AuditEntry, Post


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


def was_told(
    *whys: str, since: SQLColumnExpression[datetime], but_by: str | None = None
) -> ColumnElement[bool]:
    """Return the condition that somebody was told of a post, by the words of its story.

    :param whys: words of which any will do
    :param since: of the post; what it came to later is told anew
    :param but_by: what actors begin with whose rows do not count: a run that is repeated may have
        died before anybody heard
    """
    told = and_(AuditEntry.post_id == Post.id, AuditEntry.at >= since, AuditEntry.why.in_(whys))
    if but_by is not None:
        told = and_(told, not_(AuditEntry.actor.startswith(but_by, autoescape=True)))
    return exists().where(told).correlate(Post)


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
