"""Webhook events in the ledger: each kept once, until the publication it is about is known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import case, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reelflow.ledger.models import Publication
from reelflow.ledger.platform_models import WebhookEvent


def by_digest(session: Session, digest: str) -> WebhookEvent | None:
    """Return the event with this body, if it came before."""
    return session.scalar(select(WebhookEvent).where(WebhookEvent.digest == digest))


def keep(session: Session, event: WebhookEvent) -> WebhookEvent:
    """Add an event, unless one with this body came before; return the one that is kept."""
    known = by_digest(session, event.digest)
    if known is not None:
        return known
    try:
        with session.begin_nested():
            session.add(event)
    except IntegrityError:  # it came twice at once
        return session.scalars(
            select(WebhookEvent).where(WebhookEvent.digest == event.digest)
        ).one()
    return event


def waiting_for(session: Session, publish_id: str) -> Sequence[WebhookEvent]:
    """Return the events about a publication that nobody has applied yet, in TikTok's order."""
    return session.scalars(
        select(WebhookEvent)
        .where(WebhookEvent.publish_id == publish_id, WebhookEvent.applied_at.is_(None))
        .order_by(WebhookEvent.happened_at, WebhookEvent.id)
    ).all()


def overdue_publish_ids(session: Session) -> Sequence[str]:
    """Return the known publications about which events wait that nobody has applied.

    Whoever wrote such a publication down died before it applied them.
    """
    return session.scalars(
        select(Publication.publish_id)
        .where(
            Publication.publish_id.in_(
                select(WebhookEvent.publish_id).where(WebhookEvent.applied_at.is_(None))
            )
        )
        .order_by(Publication.id)
    ).all()  # type: ignore[return-value] # the condition says that none is None


def forget_strangers(session: Session, *, received_before: datetime) -> None:
    """Delete old events about publications that the ledger does not know.

    Another installation of the same app makes as many of them as it posts.
    """
    known = select(Publication.publish_id).where(Publication.publish_id == WebhookEvent.publish_id)
    session.execute(
        delete(WebhookEvent).where(
            WebhookEvent.applied_at.is_(None),
            WebhookEvent.received_at < received_before,
            ~known.exists(),
        )
    )


def unknown_publish_ids(
    session: Session, *, open_id: str, kinds: Collection[str], since: datetime
) -> Sequence[str]:
    """Return the ids of an account's publish tasks that TikTok spoke of and the ledger never saw.

    TikTok tells an app of its own tasks only, so these are inits whose answers were lost.

    :param kinds: of events; a task of which only others came is left out
    :param since: one of which TikTok spoke earlier is left out, whatever else it says of it
    """
    known = select(Publication.publish_id).where(Publication.publish_id == WebhookEvent.publish_id)
    return session.scalars(
        select(WebhookEvent.publish_id)
        .where(
            WebhookEvent.open_id == open_id,
            WebhookEvent.publish_id.is_not(None),
            WebhookEvent.applied_at.is_(None),
            ~known.exists(),
        )
        .group_by(WebhookEvent.publish_id)
        .having(
            func.min(WebhookEvent.happened_at) >= since,
            func.sum(case((WebhookEvent.event.in_(kinds), 1), else_=0)) > 0,
        )
        .order_by(WebhookEvent.publish_id)
    ).all()  # type: ignore[return-value] # the condition says that none is None


def named_later(session: Session, event: WebhookEvent) -> bool:
    """Whether TikTok, after this event, named another post of the same publish task."""
    later = select(WebhookEvent.id).where(
        WebhookEvent.publish_id == event.publish_id,
        WebhookEvent.event == event.event,
        WebhookEvent.applied_at.is_not(None),
        WebhookEvent.happened_at > event.happened_at,
        WebhookEvent.tiktok_post_id != event.tiktok_post_id,
    )
    return session.scalar(select(later.exists())) is True


def about(session: Session, publish_ids: Collection[str]) -> Sequence[WebhookEvent]:
    """Return all events about these publications, in the order in which they came."""
    return session.scalars(
        select(WebhookEvent)
        .where(WebhookEvent.publish_id.in_(publish_ids))
        .order_by(WebhookEvent.received_at, WebhookEvent.id)
    ).all()


def mark_applied(event: WebhookEvent, outcome: str, *, now: datetime) -> None:
    """Write down what became of an event."""
    event.applied_at = now
    event.outcome = outcome
