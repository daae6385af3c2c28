"""Accounts whose counts a person must make possible: told of by one run, until they are not."""

from __future__ import annotations

from datetime import timedelta

from reelflow.ledger.models import Account
from reelflow.services.post_metrics.collect import Refusal
from reelflow.services.post_metrics.troubles import tell_troubles
from reelflow.services.workspace import Workspace
from tests.factories import Clock, make_account
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

ENDED = Refusal("account_revoked", "account acme: its access ended")
NO_SCOPE = Refusal("scope_not_authorized", "account acme: its creator did not grant video.list")


def test_a_trouble_is_new_to_the_run_that_told_of_it_first_however_often(
    workspace: Workspace, account: Account, clock: Clock
) -> None:
    began = clock()
    refused = {account.id: ENDED}
    for run, is_new in (("run_1", True), ("run_1", True), ("run_2", False), ("run_1", True)):
        clock.advance(timedelta(hours=1))
        (told,) = tell_troubles(workspace, refused, run=run)
        assert (told.why, told.is_new) == (ENDED.why, is_new)
        assert told.since == began + timedelta(hours=1)


def test_another_trouble_of_the_same_account_is_news(
    workspace: Workspace, account: Account
) -> None:
    tell_troubles(workspace, {account.id: ENDED}, run="run_1")
    (told,) = tell_troubles(workspace, {account.id: NO_SCOPE}, run="run_2")
    assert (told.why, told.is_new) == (NO_SCOPE.why, True)


def test_a_new_account_is_news_beside_one_that_was_told_of(
    workspace: Workspace, account: Account
) -> None:
    other = make_account(workspace, "bella")
    tell_troubles(workspace, {account.id: ENDED}, run="run_1")
    told = tell_troubles(workspace, {other.id: ENDED, account.id: ENDED}, run="run_2")
    assert [one.is_new for one in told] == [False, True]  # by account


def test_no_trouble_is_told_of_by_nobody(workspace: Workspace) -> None:
    assert tell_troubles(workspace, {}, run="run_1") == []
