"""INSERTs that say what becomes of a row that is there already, in the database's own dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

_INSERTS: Final[Mapping[str, Callable[..., Any]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def insert_into(session: Session, table: type[Any]) -> Any:
    """Return an INSERT that takes ``on_conflict_do_nothing`` or ``on_conflict_do_update``."""
    return _INSERTS[session.get_bind().dialect.name](table)
