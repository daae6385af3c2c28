"""Writing to the ledger only to see whether it can be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session


@contextmanager
def rehearsed(session: Session) -> Iterator[None]:
    """Take back what the block writes, however it ends; the transaction goes on."""
    rehearsal = session.begin_nested()
    try:
        yield
    finally:
        rehearsal.rollback()
