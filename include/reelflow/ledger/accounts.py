"""Accounts in the ledger: who they are on TikTok, their inbox folder, their encrypted tokens."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reelflow.domain.post import PrivacyLevel
from reelflow.exceptions import AccountNotFoundError, ConfigurationError
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.models import Account

#: Code of the error that a name is of another account.
NAME_TAKEN: Final = "account_name_taken"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class TokenSet:
    """What gives access to one account, in the clear; never shown.

    :param access_token_expires_at: None where it is not known, as of a token added by hand
    :param refresh_token: None where there is none; nothing renews the access token then
    :param scopes: what the creator granted; None where it is not known
    """

    access_token: str = field(repr=False)
    access_token_expires_at: datetime | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_token_expires_at: datetime | None = None
    scopes: frozenset[str] | None = None


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
    tokens: TokenSet,
    now: datetime,
    inbox_privacy_level: PrivacyLevel | None = None,
) -> Account:
    """Add an account, or give the one with this ``open_id`` a new name and new tokens.

    :raises ConfigurationError: the name is malformed or belongs to another account
    """

    def store() -> Account:
        account = _named(session, open_id=open_id, name=name, now=now)
        account.revoked = False
        account.revoked_because = None
        store_tokens(account, cipher, tokens, now=now)
        if inbox_privacy_level is not None:
            account.inbox_privacy_level = inbox_privacy_level
        session.flush()
        return account

    try:
        with session.begin_nested():
            return store()
    except IntegrityError:  # somebody connected it, or took its name, at the same moment
        return store()


def _named(session: Session, *, open_id: str, name: str, now: datetime) -> Account:
    """Return the account with this ``open_id``, new if nobody knows it, under this name."""
    namesake = session.scalar(select(Account).where(Account.name == check_name(name)))
    if namesake is not None and namesake.open_id != open_id:
        raise ConfigurationError(
            f"account name {name!r} belongs to another TikTok account: choose another name",
            code=NAME_TAKEN,
        )
    account = by_open_id(session, open_id, lock=True)
    if account is None:
        account = Account(open_id=open_id, created_at=now, token_version=0)
        session.add(account)
    account.name = name
    return account


def store_tokens(account: Account, cipher: Cipher, tokens: TokenSet, *, now: datetime) -> None:
    """Give an account other tokens, all at once; whoever refreshes the old ones is too late."""
    account.access_token_encrypted = cipher.encrypt(
        tokens.access_token, bound_to=_access_token_of(account.open_id)
    )
    account.access_token_expires_at = tokens.access_token_expires_at
    account.refresh_token_encrypted = (
        None
        if tokens.refresh_token is None
        else cipher.encrypt(tokens.refresh_token, bound_to=_refresh_token_of(account.open_id))
    )
    account.refresh_token_expires_at = tokens.refresh_token_expires_at
    account.scopes = None if tokens.scopes is None else ",".join(sorted(tokens.scopes))
    account.token_version += 1
    account.refreshing_until = None
    account.tokens_stored_at = account.updated_at = now


def get(session: Session, account_id: int, *, lock: bool = False) -> Account:
    """Return an account.

    :param lock: hold its row until the transaction ends; new posts of it may still be added
    :raises AccountNotFoundError: no account has this id
    """
    query = select(Account).where(Account.id == account_id)
    query = query.execution_options(populate_existing=True)
    account = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if account is None:
        raise AccountNotFoundError(f"no account has id {account_id}: see `reelflow accounts list`")
    return account


def by_open_id(session: Session, open_id: str, *, lock: bool = False) -> Account | None:
    """Return the account with TikTok's id, or None.

    :param lock: hold its row until the transaction ends; new posts of it may still be added
    """
    query = select(Account).where(Account.open_id == open_id)
    query = query.execution_options(populate_existing=True)
    return session.scalar(query.with_for_update(key_share=True) if lock else query)


def by_name(session: Session, name: str) -> Account:
    """Return the account with this name.

    :raises AccountNotFoundError: there is none; the message names those that exist
    """
    query = select(Account).where(Account.name == name)
    # What no account can be called is not asked for: not every database takes every text.
    account = session.scalar(query) if _NAME.fullmatch(name) else None
    if account is None:
        known = ", ".join(names(session)) or "none yet"
        raise AccountNotFoundError(
            f"no account is called {name[:64]!r} (accounts: {known}): connect it with "
            "`reelflow accounts connect`"
        )
    return account


def by_names(session: Session, names: Collection[str]) -> dict[str, Account]:
    """Return the accounts with these names, by their names.

    :raises AccountNotFoundError: there is none of one of them
    """
    query = select(Account).where(Account.name.in_(names))
    found = {account.name: account for account in session.scalars(query)}
    return {name: found.get(name) or by_name(session, name) for name in names}


def names(session: Session) -> Sequence[str]:
    """Return the names of all accounts, in their order."""
    return session.scalars(select(Account.name).order_by(Account.name)).all()


def list_all(session: Session) -> Sequence[Account]:
    """Return all accounts by name."""
    return session.scalars(select(Account).order_by(Account.name)).all()


def access_token(account: Account, cipher: Cipher) -> str:
    """Return the access token in the clear; never log it.

    :raises ConfigurationError: the Fernet key is not the one it was stored with, or it was stored
        for another account
    """
    return decrypt_access_token(
        account.access_token_encrypted, cipher, open_id=account.open_id, name=account.name
    )


def decrypt_access_token(encrypted: bytes, cipher: Cipher, *, open_id: str, name: str) -> str:
    """Return an access token as :func:`access_token` does, by the columns that are needed."""
    return cipher.decrypt(
        encrypted, bound_to=_access_token_of(open_id), what=f"the access token of account {name}"
    )


def refresh_token(account: Account, cipher: Cipher) -> str | None:
    """Return the refresh token in the clear, None where there is none; never log it.

    :raises ConfigurationError: the Fernet key is not the one it was stored with, or it was stored
        for another account
    """
    if account.refresh_token_encrypted is None:
        return None
    return cipher.decrypt(
        account.refresh_token_encrypted,
        bound_to=_refresh_token_of(account.open_id),
        what=f"the refresh token of account {account.name}",
    )


def _access_token_of(open_id: str) -> str:
    return f"access_token {open_id}"


def _refresh_token_of(open_id: str) -> str:
    return f"refresh_token {open_id}"


def granted_scopes(account: Account) -> frozenset[str] | None:
    """Return what the creator granted; None where it is not known."""
    return None if account.scopes is None else frozenset(account.scopes.split(",")) - {""}
