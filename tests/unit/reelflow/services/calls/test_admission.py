"""Admission to an init: breaker first, then the day's caps, then the minute's budget."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.budget import Call
from reelflow.exceptions import (
    AccountRevokedError,
    BreakerOpenError,
    BudgetSpentError,
    PostHeldError,
    ReelflowError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.ledger.models import Account, Post
from reelflow.services.calls import breaker, budgets
from reelflow.services.calls.admission import admitted
from reelflow.services.settling.lost_init import INIT_ANSWER_LOST
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.unit.reelflow.services.calls.breaker_state import state_of

MakeAccount = Callable[..., Account]
MakePost = Callable[..., Post]


def begin(workspace: Workspace, post: Post, *, fails_with: ReelflowError | None = None) -> None:
    with admitted(workspace, post):
        if fails_with is not None:
            raise fails_with


@pytest.fixture
def open_breaker(workspace: Workspace, clock: Clock, make_account: MakeAccount) -> None:
    """Open the breaker; its first probe may go."""
    for name in ("x", "y", "z"):
        breaker.record_failure(workspace, make_account(name).id, "internal_error")
    clock.advance(workspace.rules.breaker.pause(0))


def test_six_posts_of_an_account_are_admitted_in_a_minute_and_the_seventh_waits(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    for _ in range(6):
        begin(workspace, make_post(account))
    with pytest.raises(BudgetSpentError, match="6 inits a minute"):
        begin(workspace, make_post(account))


@pytest.mark.usefixtures("open_breaker")
def test_while_the_breaker_is_open_no_budget_is_spent(
    workspace: Workspace, clock: Clock, account: Account, make_post: MakePost
) -> None:
    clock.advance(-timedelta(seconds=1))  # before its first probe
    for _ in range(7):
        with pytest.raises(BreakerOpenError):
            begin(workspace, make_post(account))
    for _ in range(6):
        budgets.spend(workspace, account.id, Call.INIT)


@pytest.mark.usefixtures("open_breaker")
def test_a_probe_without_budget_leaves_the_probe_to_another_account(
    workspace: Workspace, account: Account, make_account: MakeAccount, make_post: MakePost
) -> None:
    for _ in range(6):
        budgets.spend(workspace, account.id, Call.INIT)
    with pytest.raises(BudgetSpentError):
        begin(workspace, make_post(account))
    begin(workspace, make_post(make_account("other")))
    assert state_of(workspace) is None


@pytest.mark.usefixtures("open_breaker")
@pytest.mark.parametrize("answer", [None, TikTokRejectedError("refused")])
def test_a_probe_that_tiktok_answers_closes_the_breaker_whatever_it_says_of_the_post(
    workspace: Workspace, account: Account, make_post: MakePost, answer: ReelflowError | None
) -> None:
    if answer is None:
        begin(workspace, make_post(account))
    else:
        with pytest.raises(type(answer)):
            begin(workspace, make_post(account), fails_with=answer)
    assert state_of(workspace) is None


@pytest.mark.usefixtures("open_breaker")
@pytest.mark.parametrize(
    "failure",
    [TikTokUnavailableError("503"), PostHeldError("cut", code=INIT_ANSWER_LOST)],
)
def test_a_probe_that_the_platform_fails_makes_the_next_pause_longer(
    workspace: Workspace, account: Account, make_post: MakePost, failure: ReelflowError
) -> None:
    with pytest.raises(type(failure)):
        begin(workspace, make_post(account), fails_with=failure)
    state = state_of(workspace)
    assert state is not None
    assert (state.failed_probes, state.is_probing) == (1, False)


@pytest.mark.usefixtures("open_breaker")
@pytest.mark.parametrize(
    "failure",
    [
        TikTokUnreachableError("no route"),
        PostHeldError("not offered"),
        AccountRevokedError("known to be revoked"),
    ],
)
def test_a_probe_that_made_no_init_is_given_up_and_says_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, failure: ReelflowError
) -> None:
    with pytest.raises(type(failure)):
        begin(workspace, make_post(account), fails_with=failure)
    state = state_of(workspace)
    assert state is not None
    assert (state.failed_probes, state.is_probing) == (0, False)


def test_an_init_from_before_the_outage_does_not_end_the_probe_of_another(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    request: pytest.FixtureRequest,
    make_account: MakeAccount,
) -> None:
    with admitted(workspace, make_post(account)):
        request.getfixturevalue("open_breaker")
        assert breaker.check_closed(workspace, make_account("probe").id)
    state = state_of(workspace)
    assert state is not None
    assert state.is_probing


def test_three_accounts_whose_inits_the_platform_fails_open_the_breaker(
    workspace: Workspace, make_account: MakeAccount, make_post: MakePost
) -> None:
    for name in ("one", "two", "three"):
        assert state_of(workspace) is None
        with pytest.raises(TikTokUnavailableError):
            begin(
                workspace,
                make_post(make_account(name)),
                fails_with=TikTokUnavailableError("503", code="internal_error"),
            )
    assert state_of(workspace) is not None


@pytest.mark.usefixtures("open_breaker")
def test_a_probe_that_fails_with_a_word_for_posts_that_fail_later_is_a_failed_probe(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    outage = TikTokUnavailableError("HTTP 500", code=breaker.FAILED_LATER)
    with pytest.raises(TikTokUnavailableError):
        begin(workspace, make_post(account), fails_with=outage)
    state = state_of(workspace)
    assert state is not None
    assert (state.is_probing, state.failed_probes) == (False, 1)
