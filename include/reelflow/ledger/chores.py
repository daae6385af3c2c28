"""Chores in the ledger: each is done by one of many processes at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from reelflow.ledger.intake_models import Chore

_INSERTS: Final[Mapping[str, Callable[..., Any]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def take(session: Session, name: str, *, owner: str, now: datetime, until: datetime) -> bool:
    """Take a chore, so that nobody else does it until a time; False while somebody else has it."""
    insert = _INSERTS[session.get_bind().dialect.name]
    values = {"owner": owner, "until": until}
    taken = session.scalar(
        insert(Chore)
        .values(name=name, **values)
        .on_conflict_do_update(index_elements=[Chore.name], set_=values, where=Chore.until <= now)
        .returning(Chore.name)
    )
    return taken is not None
