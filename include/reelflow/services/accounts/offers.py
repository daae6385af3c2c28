"""What the accounts are, what is left of their budgets, and what their creators may post now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from reelflow.domain.budget import Call
from reelflow.exceptions import ReelflowError
from reelflow.ledger import accounts
from reelflow.ledger.models import Account
from reelflow.services.accounts.revocation import revoked_error
from reelflow.services.calls.account_client import AccountClients
from reelflow.services.calls.budget_view import BudgetUse, budget_uses
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import CreatorInfo

#: So many accounts are asked about at once.
_AT_ONCE: Final = 4
#: The share of a budget that looking may use up; the rest is for publishing.
_SHARE: Final = 0.5

OpenClients = Callable[[], AbstractContextManager[AccountClients]]


@dataclass(frozen=True)
class Offer:
    """One account.

    :param creator: what its creator may post now; None where TikTok was not asked, or did not say
    :param trouble: why TikTok did not say, if it was to be asked
    """

    account: Account
    budgets: Mapping[Call, BudgetUse]
    creator: CreatorInfo | None = None
    trouble: ReelflowError | None = None


def list_offers(
    workspace: Workspace, open_clients: OpenClients | None, *, name: str | None = None
) -> list[Offer]:
    """Return the accounts, by name.

    :param open_clients: TikTok, for one thread; None asks it nothing
    :param name: only this account
    :raises AccountNotFoundError: none has this name
    """
    with workspace.ledger.read() as session:
        found = accounts.list_all(session) if name is None else [accounts.by_name(session, name)]
        limits, now = workspace.rules.budgets, workspace.ledger.now()
        uses = budget_uses(session, limits, [one.id for one in found], now=now)
    offers = [Offer(account, uses[account.id]) for account in found]
    return offers if open_clients is None else _ask(offers, open_clients)


def _ask(offers: Sequence[Offer], open_clients: OpenClients) -> list[Offer]:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="creator_info") as threads:
        return list(threads.map(lambda offer: _asked(offer, open_clients), offers))


def _asked(offer: Offer, open_clients: OpenClients) -> Offer:
    account, budgets = offer.account, offer.budgets
    if account.revoked:
        return Offer(account, budgets, trouble=revoked_error(account))
    use = budgets[Call.CREATOR_INFO]
    if use.used >= use.limit * _SHARE:
        trouble = ReelflowError(
            f"TikTok was asked {use.used} times about {account.name} within a minute, and what is "
            f"left of {use.limit} is kept for publishing: ask again in a minute",
            code="budget_kept",
        )
        return Offer(account, budgets, trouble=trouble)
    try:
        with open_clients() as clients:
            return Offer(account, budgets, clients.of(account.id).creator_info())
    except ReelflowError as exc:
        return Offer(account, budgets, trouble=exc)
