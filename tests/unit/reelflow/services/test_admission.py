"""Admission to an init: breaker first, then the day's caps, then the minute's budget."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.budget import Call
from reelflow.exceptions import BreakerOpenError, BudgetSpentError
from reelflow.ledger.models import Account, Post
from reelflow.services import breaker, budgets
from reelflow.services.admission import admit_init
from reelflow.services.workspace import Workspace
from tests.factories import Clock


def open_breaker(workspace: Workspace, make_account: Callable[..., Account]) -> None:
    for name in ("x", "y", "z"):
        breaker.record_failure(workspace, make_account(name).id, "internal_error")


def test_six_posts_of_an_account_are_admitted_in_a_minute_and_the_seventh_waits(
    workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    for _ in range(6):
        admit_init(workspace, make_post(account))
    with pytest.raises(BudgetSpentError, match="6 inits a minute"):
        admit_init(workspace, make_post(account))


def test_while_the_breaker_is_open_no_budget_is_spent(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    make_post: Callable[..., Post],
) -> None:
    open_breaker(workspace, make_account)
    for _ in range(7):
        with pytest.raises(BreakerOpenError):
            admit_init(workspace, make_post(account))
    for _ in range(6):
        budgets.spend(workspace, account.id, Call.INIT)


def test_a_probe_without_budget_leaves_the_probe_to_another_account(
    workspace: Workspace,
    clock: Clock,
    account: Account,
    make_account: Callable[..., Account],
    make_post: Callable[..., Post],
) -> None:
    open_breaker(workspace, make_account)
    clock.advance(timedelta(minutes=2))
    for _ in range(6):
        budgets.spend(workspace, account.id, Call.INIT)
    with pytest.raises(BudgetSpentError):
        admit_init(workspace, make_post(account))
    admit_init(workspace, make_post(make_account("other")))
    state = breaker.state(workspace)
    assert state is not None
    assert state.is_probing
