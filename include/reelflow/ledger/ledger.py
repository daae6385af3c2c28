"""The ledger as services see it: its database, its cipher and its clock in one object."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from reelflow.ledger.cipher import Cipher
from reelflow.ledger.engine import transaction


def utc_now() -> datetime:
    """Return the time of the machine, aware, in UTC."""
    return datetime.now(UTC)


class Ledger:
    """Where what was intended and what was done is kept.

    :param engine: the database, from :func:`reelflow.ledger.engine.open_engine`
    :param cipher: encrypts tokens and upload URLs
    :param now: the clock, in UTC
    """

    def __init__(
        self, engine: Engine, cipher: Cipher, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.engine = engine
        self.cipher = cipher
        self.now = now

    def read(self) -> AbstractContextManager[Session]:
        """Open a transaction that only reads."""
        return transaction(self.engine, writes=False)

    def write(self) -> AbstractContextManager[Session]:
        """Open a transaction that writes; on SQLite it has the only write lock from its start."""
        return transaction(self.engine, writes=True)
