"""Access that ends soon: renewed ahead of need, and named where only the creator can renew it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from reelflow.exceptions import AccountRevokedError, ReelflowError, TransientError
from reelflow.ledger import accounts, damage
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.revocation import held_because, reconnect_fix, waits_for_access
from reelflow.services.calls.rounds import Round, by_turns
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

#: So long an account is named whose access ended, also when no post waits for it: one that was
#: given up for good must not be named for ever.
NAMED_FOR: Final = timedelta(hours=24)


class TokenRefresh(Protocol):
    """Who renews tokens: :class:`reelflow.services.accounts.tokens.AccessTokens`."""

    def refresh(self, account_id: int) -> str:
        """Return a new token, or raise why there is none."""


@dataclass
class Renewal:
    """What became of access tokens that end soon; ids of accounts.

    :param not_renewed: what passes by itself: whoever uses the account next renews them as well
    :param refused: why the others need a person
    """

    renewed: list[int] = field(default_factory=list)
    not_renewed: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def renew_ending(workspace: Workspace, tokens: TokenRefresh, *, ahead: timedelta) -> Renewal:
    """Renew every access token that ends soon; one account's trouble stops no other.

    What cannot be renewed by anyone, or was never told when it ends, is left alone. TikTok's
    refusal revokes the account, as it does for any other caller.

    :param ahead: how much of its life a token has left at most that is renewed
    """
    found, calls = Renewal(), Round()
    with workspace.ledger.read() as session:
        ending = session.execute(
            select(Account.id, Account.name).where(*_ends_by(workspace.ledger.now() + ahead))
        ).all()
    for account_id, name in by_turns(ending, account_of=lambda account: account.id):
        try:
            if _still_ends(workspace, account_id, ahead):
                with calls.asking(account_id):
                    tokens.refresh(account_id)
                found.renewed.append(account_id)
        except AccountRevokedError:
            pass  # it is marked: accounts_for_a_person names it
        except TransientError as exc:
            found.not_renewed.append(account_id)
            log.warning("account %s is renewed later: %s", name, exc)
        except (ReelflowError, *damage.UNREADABLE) as exc:
            found.refused[account_id] = f"account {name}: {exc}"
    return found


def accounts_for_a_person(workspace: Workspace, *, warn_ahead: timedelta) -> dict[int, str]:
    """Return the accounts that only a creator's consent helps, each with why and what to do.

    They are those whose access ended, for a day and for as long as posts wait for it; those for
    which posts wait because their access does not suffice; and those whose access ends soon.

    :param warn_ahead: how long ahead of the end of an access it is named
    """
    now, named = workspace.ledger.now(), {}
    with workspace.ledger.read() as session:
        waiting = _waiting_posts(session)
        for account_id, name in session.execute(
            select(Account.id, Account.name).order_by(Account.name)
        ).all():
            try:
                account = accounts.get(session, account_id)
            except damage.UNREADABLE as exc:
                named[account_id] = f"account {name} cannot be read: {exc}"
                continue
            why = _trouble(account, waiting.get(account_id, 0), now=now, warn_ahead=warn_ahead)
            if why is not None:
                named[account_id] = f"{why}. To fix: {reconnect_fix(name)}"
    return named


def _ends_by(end: datetime) -> Sequence[ColumnElement[bool]]:
    return (
        Account.revoked.is_(False),
        Account.refresh_token_encrypted.is_not(None),
        Account.access_token_expires_at <= end,
    )


def _still_ends(workspace: Workspace, account_id: int, ahead: timedelta) -> bool:
    """Whether nobody renewed it while others were."""
    with workspace.ledger.read() as session:
        query = select(Account.id).where(*_ends_by(workspace.ledger.now() + ahead))
        return session.scalar(query.where(Account.id == account_id)) is not None


def _waiting_posts(session: Session) -> dict[int, int]:
    """Return how many posts of each account are held until it is connected again."""
    query = select(Post.account_id, func.count()).where(waits_for_access())
    return dict(session.execute(query.group_by(Post.account_id)).all())


def _trouble(account: Account, waiting: int, *, now: datetime, warn_ahead: timedelta) -> str | None:
    if account.revoked:
        is_news = account.updated_at > now - NAMED_FOR
        told = f"{held_because(account)}; posts that wait for it: {waiting}"
        return told if waiting or is_news else None
    if waiting:
        return f"TikTok refused the access to account {account.name}; posts that wait: {waiting}"
    ends_at = _access_ends_at(account)
    if ends_at is None or ends_at > now + warn_ahead:
        return None
    ends = "ends" if ends_at > now else "ended"
    return (
        f"the access to account {account.name} {ends} at {ends_at:%Y-%m-%d %H:%M} UTC, and only "
        "its creator can renew it"
    )


def _access_ends_at(account: Account) -> datetime | None:
    """Return when nothing renews the access any more; None where that is not known."""
    if account.refresh_token_encrypted is None:
        return account.access_token_expires_at
    return account.refresh_token_expires_at
