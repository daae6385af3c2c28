"""Accounts in the ledger: who they are on TikTok, their inbox folder, their encrypted tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from reelflow.domain.post import PrivacyLevel
from reelflow.exceptions import AccountNotFoundError, ConfigurationError
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.models import Account

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check_name(name: str) -> str:
    """Return the name if it may be the name of an inbox folder.

    :raises ConfigurationError: it has other characters than a-z, 0-9, dot, dash and underscore
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"account name {name!r} cannot be a folder: use 1 to 64 of a-z, 0-9, '.', '_', '-', "
            "starting with a letter or digit",
            code="account_name",
        )
    return name


def save(
    session: Session,
    cipher: Cipher,
    *,
    open_id: str,
    name: str,
    access_token: str,
    now: datetime,
    inbox_privacy_level: PrivacyLevel | None = None,
) -> Account:
    """Add an account, or give the one with this ``open_id`` a new name and token.

    :raises ConfigurationError: the name is malformed or belongs to another account
    """
    namesake = session.scalar(select(Account).where(Account.name == check_name(name)))
    if namesake is not None and namesake.open_id != open_id:
        raise ConfigurationError(
            f"account name {name!r} belongs to another TikTok account: choose another name",
            code="account_name_taken",
        )
    account = session.scalar(select(Account).where(Account.open_id == open_id))
    if account is None:
        account = Account(open_id=open_id, created_at=now)
        session.add(account)
    account.name = name
    account.revoked = False
    account.access_token_encrypted = cipher.encrypt(access_token)
    account.updated_at = now
    if inbox_privacy_level is not None:
        account.inbox_privacy_level = inbox_privacy_level
    session.flush()
    return account


def get(session: Session, account_id: int) -> Account:
    """Return an account.

    :raises AccountNotFoundError: no account has this id
    """
    account = session.get(Account, account_id, populate_existing=True)
    if account is None:
        raise AccountNotFoundError(f"no account has id {account_id}: see `reelflow accounts list`")
    return account


def by_name(session: Session, name: str) -> Account:
    """Return the account with this name.

    :raises AccountNotFoundError: there is none; the message names those that exist
    """
    account = session.scalar(select(Account).where(Account.name == name))
    if account is None:
        names = ", ".join(known.name for known in list_all(session)) or "none yet"
        raise AccountNotFoundError(
            f"no account is called {name!r} (accounts: {names}): add it with "
            "`reelflow accounts add`"
        )
    return account


def list_all(session: Session) -> Sequence[Account]:
    """Return all accounts by name."""
    return session.scalars(select(Account).order_by(Account.name)).all()


def access_token(account: Account, cipher: Cipher) -> str:
    """Return the access token in the clear; never log it.

    :raises ConfigurationError: the Fernet key is not the one it was stored with
    """
    return cipher.decrypt(
        account.access_token_encrypted, what=f"the access token of account {account.name}"
    )
