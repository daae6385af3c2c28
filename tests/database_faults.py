"""What befalls the ledger's database at the worst moment: a lock, or somebody else's step.

The code under test runs as it is. Locks are real ones that its writers do not wait for, or what
SQLite's driver raises for one, right where SQLAlchemy calls it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, NoReturn

from sqlalchemy import event

from reelflow.ledger.engine import open_engine
from reelflow.ledger.ledger import Ledger
from reelflow.services.workspace import Workspace


def impatient(workspace: Workspace) -> Workspace:
    """Return a workspace on the same ledger whose writers wait for no other."""
    ledger = workspace.ledger
    url = ledger.engine.url.render_as_string(hide_password=False)
    engine = open_engine(url, lock_timeout_s=0)
    return replace(workspace, ledger=Ledger(engine, ledger.cipher, now=ledger.now))


@contextmanager
def before_statement(
    workspace: Workspace, sql: str, step: Callable[[], object], *, nth: int = 1
) -> Iterator[None]:
    """Do something once, right before the database is given a statement.

    :param sql: a part of the statement
    :param step: may use the ledger itself; what it raises is taken for an error of the driver
    :param nth: of the statements with that part
    :raises AssertionError: no such statement came, so nothing was tested
    """
    seen = 0

    def look(_cursor: Any, statement: str, _parameters: Any, _context: Any) -> None:
        nonlocal seen
        if sql in statement:
            seen += 1
            if seen == nth:
                step()

    dialect = workspace.ledger.engine.dialect  # the engine's own
    event.listen(dialect, "do_execute", look)
    try:
        yield
    finally:
        event.remove(dialect, "do_execute", look)
    assert seen >= nth, f"{seen} statements with {sql!r} came, not {nth}"


def locked_at(workspace: Workspace, sql: str, *, nth: int = 1) -> AbstractContextManager[None]:
    """Refuse one statement as SQLite does while another process writes; parameters as above."""
    return before_statement(workspace, sql, _raise_locked, nth=nth)


def _raise_locked() -> NoReturn:
    raise sqlite3.OperationalError("database is locked")
