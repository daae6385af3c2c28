"""What stands where, in numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.budget import Call
from reelflow.domain.post import PostMode, PostState
from reelflow.ledger.models import Account, Post
from reelflow.services.calls import budgets
from reelflow.services.calls.budget_view import budget_uses
from reelflow.services.gauges import gauges
from reelflow.services.settling.for_a_person import STUCK_AFTER
from reelflow.services.workspace import Workspace
from tests import factories
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
S = PostState
HALF_AN_HOUR = timedelta(minutes=30)


def numbers(workspace: Workspace) -> dict[str, float]:
    found = gauges(workspace, late_after=HALF_AN_HOUR)
    assert len({gauge.name for gauge in found}) == len(found)
    return {gauge.name: gauge.value for gauge in found}


def test_posts_are_counted_by_state_and_a_state_without_any_is_0(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    for state in (S.PUBLISHED, S.PUBLISHED, S.HELD):
        make_post(account, state=state)
    found = numbers(workspace)
    assert {f"posts.{state.lower()}" for state in S} <= set(found)
    counted = {name: value for name, value in found.items() if name.startswith("posts.") and value}
    assert counted == {"posts.published": 2, "posts.held": 1}


def test_the_queue_is_as_old_as_its_oldest_due_post(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    now = clock()
    assert (numbers(workspace)["queue.due"], numbers(workspace)["queue.age_s"]) == (0, 0)
    make_post(account, due_at=now + timedelta(seconds=1))
    make_post(account, due_at=now - timedelta(seconds=5), state=S.UPLOADING)
    assert (numbers(workspace)["queue.due"], numbers(workspace)["queue.age_s"]) == (0, 0)
    make_post(account, due_at=now - timedelta(seconds=40))
    make_post(account, due_at=now)
    assert (numbers(workspace)["queue.due"], numbers(workspace)["queue.age_s"]) == (2, 40)


def test_what_tiktok_works_on_for_a_day_is_stuck(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    for state in (S.PROCESSING, S.COMMITTING, S.UPLOADING):
        make_post(account, state=state)
    assert numbers(workspace)["posts.stuck"] == 0
    clock.advance(STUCK_AFTER)
    assert numbers(workspace)["posts.stuck"] == 2


def test_posts_are_late_by_the_limit_of_whoever_asks(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    make_post(account)
    assert numbers(workspace)["posts.late"] == 0
    clock.advance(HALF_AN_HOUR)
    assert numbers(workspace)["posts.late"] == 1


@pytest.mark.parametrize("mode", PostMode)
def test_budgets_left_are_those_that_accounts_list_tells(
    mode: PostMode, workspace: Workspace, make_post: MakePost, clock: Clock
) -> None:
    accounts = [factories.make_account(workspace, name) for name in ("paper.moon", "acme")]
    for account, count in zip(accounts, (3, 1), strict=True):
        for _ in range(count):
            post = make_post(account, state=S.PROCESSING, mode=mode)
            make_publication(workspace, post)
            budgets.spend(workspace, account.id, Call.STATUS)
    found = numbers(workspace)
    with workspace.ledger.read() as session:
        ids = [account.id for account in accounts]
        uses = budget_uses(session, workspace.rules.budgets, ids, now=clock())
    for account in accounts:
        for call, use in uses[account.id].items():
            name = f"budget_left.{call}.{account.name.replace('.', '_')}"
            assert found[name] == use.limit - use.used, name
    assert found["budget_left.status.paper_moon"] == 27


def test_an_account_that_cannot_post_has_no_budget(workspace: Workspace, account: Account) -> None:
    assert "budget_left.init.acme" in numbers(workspace)
    factories.change_account(workspace, account.id, revoked=True)
    assert "budget_left.init.acme" not in numbers(workspace)


def test_numbers_have_tags_where_there_are_many_of_a_kind(
    workspace: Workspace, account: Account
) -> None:
    tags = {gauge.name: gauge.tags for gauge in gauges(workspace, late_after=HALF_AN_HOUR)}
    assert tags["posts.ready"] == {"state": "ready"}
    assert tags["budget_left.post.acme"] == {"account": "acme", "call": "post"}
    assert tags["queue.due"] == {}
