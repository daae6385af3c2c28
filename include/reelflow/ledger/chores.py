"""Chores in the ledger: each is done by one of many processes at a time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from reelflow.ledger.intake_models import Chore
from reelflow.ledger.upsert import insert_into


def take(session: Session, name: str, *, owner: str, now: datetime, until: datetime) -> bool:
    """Take a chore, so that nobody else does it until a time; False while somebody else has it."""
    values = {"owner": owner, "until": until}
    taken = session.scalar(
        insert_into(session, Chore)
        .values(name=name, **values)
        .on_conflict_do_update(index_elements=[Chore.name], set_=values, where=Chore.until <= now)
        .returning(Chore.name)
    )
    return taken is not None


def give_back(session: Session, name: str, *, owner: str, now: datetime) -> None:
    """Let others take a chore before its time is over, if it is still one's own."""
    own = update(Chore).where(Chore.name == name, Chore.owner == owner)
    session.execute(own.values(until=now))
