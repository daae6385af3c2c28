"""The circuit breaker in the ledger: failures of the platform, and one row while it is open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from reelflow.ledger.models import Account
from reelflow.ledger.platform_models import Breaker, PlatformFailure
from reelflow.ledger.upsert import insert_into

_ID: Final = 1


def get(session: Session, *, lock: bool = False) -> Breaker | None:
    """Return the breaker while it is open.

    :param lock: hold its row until the transaction ends
    """
    query = select(Breaker).execution_options(populate_existing=True)
    return session.scalar(query.with_for_update() if lock else query)


def trip(session: Session, *, why: str, now: datetime, probe_at: datetime) -> bool:
    """Open the breaker; False when somebody else just did."""
    opened = session.scalar(
        insert_into(session, Breaker)
        .values(id=_ID, opened_at=now, why=why, probe_at=probe_at, failed_probes=0)
        .on_conflict_do_nothing()
        .returning(Breaker.id)
    )
    return opened is not None


def close(session: Session) -> None:
    """Close the breaker and forget the failures that opened it."""
    session.execute(delete(Breaker))
    session.execute(delete(PlatformFailure))


def add_failure(
    session: Session, *, account_id: int, code: str, now: datetime, forget_before: datetime
) -> None:
    """Write one failure down, and forget those that are too old to count."""
    session.execute(delete(PlatformFailure).where(PlatformFailure.at < forget_before))
    session.add(PlatformFailure(account_id=account_id, at=now, code=code[:64]))


def failing_accounts(session: Session, *, since: datetime) -> Mapping[str, str]:
    """Return the names of the accounts that failed since a time, with their latest codes."""
    rows = session.execute(
        select(Account.name, PlatformFailure.code)
        .join(Account, Account.id == PlatformFailure.account_id)
        .where(PlatformFailure.at >= since)
        .order_by(PlatformFailure.at, PlatformFailure.id)
    )
    return {row.name: row.code for row in rows}
