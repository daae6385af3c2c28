"""API keys in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from reelflow.ledger.intake_models import ApiKey

#: When a key was last used is written at most so often.
USE_NOTED_EVERY: Final = timedelta(minutes=1)


def get(session: Session, key_id: str) -> ApiKey | None:
    """Return a key by its public part."""
    return session.get(ApiKey, key_id, populate_existing=True)


def listed(session: Session, *, user_id: str | None = None) -> Sequence[ApiKey]:
    """Return the keys of a user, or all of them, oldest first; those that ended, too."""
    query = select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)
    if user_id is not None:
        query = query.where(ApiKey.user_id == user_id)
    return session.scalars(query).all()


def note_use(session: Session, key_id: str, *, now: datetime) -> None:
    """Remember that a key was used, unless somebody just did."""
    is_old = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - USE_NOTED_EVERY)
    session.execute(update(ApiKey).where(ApiKey.id == key_id, is_old).values(last_used_at=now))
