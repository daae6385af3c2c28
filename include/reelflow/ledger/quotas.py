"""Quotas in the ledger: what users may upload in a day, and what they did; locked while counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from reelflow.ledger.intake_models import Quota, QuotaUse
from reelflow.ledger.upsert import insert_into

#: The user id of the quota that applies to whoever has none.
EVERYBODY: Final = "*"


def limits_of(session: Session, user_id: str) -> Quota | None:
    """Return the quota that applies to a user: its own, or everybody's; None is no limit."""
    return session.get(Quota, user_id) or session.get(Quota, EVERYBODY)


def listed(session: Session) -> Sequence[Quota]:
    """Return every quota, by user."""
    return session.scalars(select(Quota).order_by(Quota.user_id)).all()


def store(
    session: Session,
    user_id: str,
    *,
    uploads_per_day: int | None,
    bytes_per_day: int | None,
    now: datetime,
    actor: str,
) -> None:
    """Write a user's quota, in place of what it was."""
    values = {
        "uploads_per_day": uploads_per_day,
        "bytes_per_day": bytes_per_day,
        "updated_at": now,
        "updated_by": actor,
    }
    session.execute(
        insert_into(session, Quota)
        .values(user_id=user_id, **values)
        .on_conflict_do_update(index_elements=[Quota.user_id], set_=values)
    )


def forget(session: Session, user_id: str) -> bool:
    """Delete a user's own quota, so that everybody's applies; False when there was none."""
    row = session.get(Quota, user_id)
    if row is not None:
        session.delete(row)
    return row is not None


def use_of(session: Session, user_id: str, day: date) -> QuotaUse | None:
    """Return what a user used of a day, None when that is nothing."""
    return session.get(QuotaUse, (user_id, day), populate_existing=True)


def lock_use(session: Session, user_id: str, day: date) -> QuotaUse:
    """Return what a user used of a day, held until the transaction ends."""
    session.execute(
        insert_into(session, QuotaUse)
        .values(user_id=user_id, day=day, uploads=0, bytes=0, reserved_uploads=0, reserved_bytes=0)
        .on_conflict_do_nothing()
    )
    return session.scalars(
        select(QuotaUse)
        .where(QuotaUse.user_id == user_id, QuotaUse.day == day)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
