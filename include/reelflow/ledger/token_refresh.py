"""One refresher of an account's tokens at a time, over all processes: its claim and its result."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from reelflow.ledger import accounts
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.models import Account


def claim_refresh(
    session: Session, account_id: int, *, token_version: int, now: datetime, until: datetime
) -> bool:
    """Become the one process that refreshes an account's tokens; a compare-and-set.

    :param token_version: of the tokens that are to be refreshed
    :param until: when the claim lapses by itself, should this process die
    :return: False when somebody else has the claim, or the tokens are others by now
    """
    result = session.execute(
        update(Account)
        .where(
            Account.id == account_id,
            Account.token_version == token_version,
            Account.revoked.is_(False),
            or_(Account.refreshing_until.is_(None), Account.refreshing_until <= now),
        )
        .values(refreshing_until=until)
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]


def end_claim(
    session: Session, account_id: int, *, claimed_until: datetime, until: datetime
) -> None:
    """Give a claim back without new tokens, if it still is the caller's.

    :param until: nobody is to try again before
    """
    session.execute(
        update(Account)
        .where(Account.id == account_id, Account.refreshing_until == claimed_until)
        .values(refreshing_until=until)
    )


def store_refreshed(
    session: Session,
    cipher: Cipher,
    account_id: int,
    tokens: accounts.TokenSet,
    *,
    token_version: int,
    now: datetime,
) -> bool:
    """Put refreshed tokens in the place of those they were refreshed from; ends the claim.

    :param token_version: of the tokens that were refreshed
    :return: False when others were stored, or the account was revoked, meanwhile; nothing changed
    """
    account = accounts.get(session, account_id, lock=True)
    if account.revoked or account.token_version != token_version:
        return False
    accounts.store_tokens(account, cipher, tokens, now=now)
    return True
