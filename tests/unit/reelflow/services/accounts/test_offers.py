"""What accounts offer, where TikTok answers for some and not for others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import pytest

from reelflow.domain.budget import BudgetLimits, Call
from reelflow.exceptions import AccountNotFoundError, TikTokUnavailableError
from reelflow.ledger.models import Account
from reelflow.services.accounts.offers import OpenClients, list_offers
from reelflow.services.accounts.tokens import AccessTokens
from reelflow.services.calls.account_client import AccountClients
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import CreatorInfo
from tests.factories import ACTOR, change_account

CREATOR: Final = CreatorInfo(
    "https://a", "aurora", "Aurora", ("SELF_ONLY",), False, True, False, 60
)
MakeAccount = Callable[..., Account]


class Answering:
    """TikTok, which is down for one token."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def creator_info(self, token: str) -> CreatorInfo:
        self.asked.append(token)
        if token == "act.beta":
            raise TikTokUnavailableError("502 from open.tiktokapis.com")
        return CREATOR


@pytest.fixture
def tiktok() -> Answering:
    return Answering()


def clients_of(workspace: Workspace, tiktok: Answering) -> OpenClients:
    @contextmanager
    def open_clients() -> Iterator[AccountClients]:
        tokens = AccessTokens(workspace, None, actor=ACTOR)
        yield AccountClients(workspace, tiktok, tokens)  # type: ignore[arg-type]

    return open_clients


def test_each_account_has_its_own_answer_or_its_own_trouble(
    workspace: Workspace, make_account: MakeAccount, tiktok: Answering
) -> None:
    for name in ("gamma", "acme", "beta"):
        make_account(name)
    change_account(workspace, make_account("delta").id, revoked=True)
    offers = list_offers(workspace, clients_of(workspace, tiktok))
    assert [offer.account.name for offer in offers] == ["acme", "beta", "delta", "gamma"]
    assert [offer.creator for offer in offers] == [CREATOR, None, None, CREATOR]
    codes = [offer.trouble and offer.trouble.code for offer in offers]
    assert codes == [None, "tiktok_unavailable", "account_revoked", None]
    assert sorted(tiktok.asked) == ["act.acme", "act.beta", "act.gamma"]


def test_nobody_is_asked_where_that_is_not_wanted(
    workspace: Workspace, make_account: MakeAccount
) -> None:
    make_account("acme")
    (offer,) = list_offers(workspace, None)
    assert (offer.creator, offer.trouble) == (None, None)


def test_one_account_is_asked_alone(
    workspace: Workspace, make_account: MakeAccount, tiktok: Answering
) -> None:
    for name in ("acme", "gamma"):
        make_account(name)
    list_offers(workspace, clients_of(workspace, tiktok), name="gamma")
    assert tiktok.asked == ["act.gamma"]
    with pytest.raises(AccountNotFoundError):
        list_offers(workspace, None, name="nope")


def test_looking_leaves_half_of_the_budget_for_publishing(
    workspace: Workspace, account: Account, tiktok: Answering
) -> None:
    few = replace(workspace.rules, budgets=BudgetLimits(creator_info_per_minute=5))
    workspace = replace(workspace, rules=few)
    open_clients = clients_of(workspace, tiktok)
    told = [list_offers(workspace, open_clients)[0] for _ in range(5)]
    codes = [offer.trouble and offer.trouble.code for offer in told]
    assert codes == [None] * 3 + ["budget_kept"] * 2
    assert told[-1].budgets[Call.CREATOR_INFO].used == 3
