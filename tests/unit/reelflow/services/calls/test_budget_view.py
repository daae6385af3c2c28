"""What is left of an account's budgets, as it would be found by whoever spends them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from reelflow.domain.budget import Call
from reelflow.domain.post import PostMode, PostState
from reelflow.ledger.models import Account, Post
from reelflow.services.calls import budgets
from reelflow.services.calls.budget_view import BudgetUse, budget_uses
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

pytestmark = ON_BOTH_DATABASES


def uses(workspace: Workspace, account: Account) -> Mapping[Call, BudgetUse]:
    with workspace.ledger.read() as session:
        limits, now = workspace.rules.budgets, workspace.ledger.now()
        return budget_uses(session, limits, [account.id], now=now)[account.id]


def test_an_account_that_did_nothing_has_all_of_its_budgets(
    workspace: Workspace, account: Account
) -> None:
    found = uses(workspace, account)
    assert set(found) == set(Call)
    assert {call: (use.used, use.free_at) for call, use in found.items()} == dict.fromkeys(
        Call, (0, None)
    )


def test_calls_are_counted_until_their_window_has_passed(
    workspace: Workspace, make_account: Callable[..., Account], clock: Clock
) -> None:
    acme, other = make_account("acme"), make_account("other")
    limit = workspace.rules.budgets.init_per_minute
    for _ in range(limit):
        budgets.spend(workspace, acme.id, Call.INIT)
    spent = uses(workspace, acme)[Call.INIT]
    assert (spent.used, spent.limit) == (limit, limit)
    assert spent.free_at is not None
    assert spent.free_at > clock()
    assert uses(workspace, other)[Call.INIT].used == 0
    clock.set(spent.free_at)
    assert uses(workspace, acme)[Call.INIT].free_at is None
    budgets.spend(workspace, acme.id, Call.INIT)
    clock.advance(timedelta(minutes=2))
    assert uses(workspace, acme)[Call.INIT].used == 0


def test_looking_spends_nothing_and_keeps_no_slot(workspace: Workspace, account: Account) -> None:
    for _ in range(100):
        uses(workspace, account)
    budgets.spend(workspace, account.id, Call.INIT)
    assert uses(workspace, account)[Call.INIT].used == 1


def test_posts_and_drafts_are_counted_by_their_publications(
    workspace: Workspace, account: Account, make_post: Callable[..., Post], clock: Clock
) -> None:
    make_publication(workspace, make_post(account, state=PostState.PUBLISHED))
    make_publication(workspace, make_post(account, state=PostState.IN_INBOX, mode=PostMode.DRAFT))
    make_post(account)
    found = uses(workspace, account)
    assert (found[Call.POST].used, found[Call.DRAFT].used) == (1, 1)
    clock.advance(timedelta(hours=25))
    assert uses(workspace, account)[Call.POST].used == 0
