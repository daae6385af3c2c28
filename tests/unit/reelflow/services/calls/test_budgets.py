"""Budgets in the ledger: shared by all processes, with slots that are kept, and caps of the day."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from reelflow.domain.budget import BudgetLimits, Call
from reelflow.domain.post import PostMode, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import BudgetSpentError, TikTokRateLimitedError
from reelflow.ledger.models import Account, Post
from reelflow.services.calls import budgets
from reelflow.services.workspace import Workspace
from tests.factories import Clock, change_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

pytestmark = ON_BOTH_DATABASES

DAY_S = 86_400
MakePost = Callable[..., Post]


def wait_s(ask: Callable[[], None]) -> float:
    """Return how long a spent budget says to wait; 0 when it is not spent."""
    try:
        ask()
    except BudgetSpentError as exc:
        return exc.retry_after_s or -1.0
    return 0.0


def spend(workspace: Workspace, account: Account, call: Call, post_id: int | None = None) -> float:
    return wait_s(lambda: budgets.spend(workspace, account.id, call, post_id=post_id))


def caps(workspace: Workspace, post: Post) -> float:
    return wait_s(lambda: budgets.spend_init(workspace, post))


def test_each_call_has_the_budget_that_tiktok_documents(
    workspace: Workspace, account: Account
) -> None:
    for call, limit in ((Call.INIT, 6), (Call.CREATOR_INFO, 20), (Call.STATUS, 30)):
        waits_s = [spend(workspace, account, call) for _ in range(limit + 1)]
        assert waits_s == [0] * limit + [pytest.approx(61)]


def test_a_spent_budget_says_what_is_spent_and_when_it_is_free(
    workspace: Workspace, clock: Clock, account: Account
) -> None:
    for _ in range(6):
        spend(workspace, account, Call.INIT)
    free_at = clock() + timedelta(seconds=61)
    with pytest.raises(BudgetSpentError, match=r"has used its 6 inits a minute") as caught:
        budgets.spend(workspace, account.id, Call.INIT)
    assert f"{free_at:%Y-%m-%d %H:%M:%S} UTC; nothing was sent" in str(caught.value)
    assert caught.value.code == "budget_spent"


def test_the_budget_of_one_account_is_not_that_of_another(
    workspace: Workspace, account: Account, make_account: Callable[..., Account]
) -> None:
    for _ in range(7):
        spend(workspace, account, Call.INIT)
    assert spend(workspace, make_account("other"), Call.INIT) == 0


def test_limits_are_rules(workspace: Workspace, account: Account) -> None:
    rules = replace(workspace.rules, budgets=BudgetLimits(init_per_minute=1))
    narrow = replace(workspace, rules=rules)
    assert [spend(narrow, account, Call.INIT) > 0 for _ in range(2)] == [False, True]


def test_a_burst_of_posts_gets_slots_of_their_own_and_each_goes_out_at_its_slot(
    workspace: Workspace, clock: Clock, account: Account
) -> None:
    waits_s = {post: spend(workspace, account, Call.INIT, post) for post in range(1, 21)}
    late = {post: wait for post, wait in waits_s.items() if wait}
    assert len(late) == 14
    assert len({round(wait) for wait in late.values()}) == 14
    began = clock()
    for post, wait in late.items():
        clock.set(began + timedelta(seconds=wait))
        assert spend(workspace, account, Call.INIT, post) == 0


def test_many_that_ask_at_once_are_given_no_more_than_the_budget(
    workspace: Workspace, account: Account
) -> None:
    barrier, waits_s = threading.Barrier(10), list[float]()

    def ask() -> None:
        barrier.wait(30)
        waits_s.append(spend(workspace, account, Call.INIT))

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(waits_s)[:6] == [0] * 6
    assert len(waits_s) == 10
    assert min(sorted(waits_s)[6:]) > 60


def test_calls_of_many_accounts_are_counted_in_one_transaction(
    workspace: Workspace, account: Account, make_account: Callable[..., Account]
) -> None:
    other = make_account("other")
    for _ in range(29):
        spend(workspace, other, Call.STATUS)
    with workspace.ledger.write() as session:
        spent = budgets.spend_each(
            session,
            workspace.rules.budgets,
            Call.STATUS,
            {account.id: 2, other.id: 2},
            now=workspace.ledger.now(),
        )
    assert spent[account.id] == budgets.Spent(2)
    assert spent[other.id].granted == 1
    assert spent[other.id].wait_s == pytest.approx(61)
    assert spend(workspace, other, Call.STATUS) > 0


def test_after_tiktok_s_own_429_the_account_s_call_rests_as_long_as_it_asked(
    workspace: Workspace, clock: Clock, account: Account
) -> None:
    refused = TikTokRateLimitedError("429", retry_after_s=45)
    budgets.record_refusal(workspace, account.id, Call.STATUS, refused)
    assert spend(workspace, account, Call.STATUS) == pytest.approx(45)
    assert spend(workspace, account, Call.INIT) == 0
    clock.advance(timedelta(seconds=46))
    assert spend(workspace, account, Call.STATUS) == 0


def test_without_a_retry_after_it_rests_for_the_window(
    workspace: Workspace, account: Account
) -> None:
    budgets.record_refusal(workspace, account.id, Call.INIT, TikTokRateLimitedError("429"))
    assert spend(workspace, account, Call.INIT) == pytest.approx(60)


@pytest.mark.parametrize(
    ("code", "mode"),
    [
        ("spam_risk_too_many_posts", PostMode.DIRECT),
        ("spam_risk_too_many_pending_share", PostMode.DRAFT),
    ],
)
def test_tiktok_s_own_count_of_the_day_stops_that_kind_of_post_alone(
    workspace: Workspace, account: Account, make_post: MakePost, code: str, mode: PostMode
) -> None:
    refused = TikTokRateLimitedError("no", code=code, retry_after_s=DAY_S)
    budgets.record_refusal(workspace, account.id, Call.CREATOR_INFO, refused)
    waits_s = {kind: caps(workspace, make_post(account, mode=kind)) for kind in PostMode}
    assert waits_s.pop(mode) == pytest.approx(DAY_S)
    assert set(waits_s.values()) == {0}
    assert spend(workspace, account, Call.CREATOR_INFO) == 0


@pytest.mark.parametrize(
    "exc",
    [
        TikTokRateLimitedError("of the app", code="reached_active_user_cap", retry_after_s=DAY_S),
        BudgetSpentError("ours", code="rate_limit_exceeded", retry_after_s=DAY_S),
    ],
)
def test_what_is_not_the_account_s_limit_blocks_nothing(
    workspace: Workspace, account: Account, exc: TikTokRateLimitedError
) -> None:
    budgets.record_refusal(workspace, account.id, Call.INIT, exc)
    assert spend(workspace, account, Call.INIT) == 0


def publish(workspace: Workspace, make_post: MakePost, account: Account, **fields: object) -> Post:
    post = make_post(account, **{"state": PostState.PUBLISHED, **fields})
    make_publication(workspace, post)
    return post


def test_the_sixteenth_post_of_a_day_waits_for_the_first_to_be_a_day_old(
    workspace: Workspace, clock: Clock, account: Account, make_post: MakePost
) -> None:
    for _ in range(15):
        publish(workspace, make_post, account)
        clock.advance(timedelta(hours=1))
    post = make_post(account)
    assert caps(workspace, post) == pytest.approx(DAY_S + 1 - 15 * 3600)
    clock.advance(timedelta(hours=9, seconds=2))
    assert caps(workspace, post) == 0


def test_a_burst_of_drafts_is_spread_over_the_coming_days(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    waits_s = [caps(workspace, make_post(account, mode=PostMode.DRAFT)) for _ in range(13)]
    days = [int(wait // DAY_S) for wait in waits_s]
    assert days == [0] * 5 + [1] * 5 + [2] * 3
    assert len({round(wait) for wait in waits_s if wait}) == 8


@pytest.mark.parametrize("state", [PublicationState.FAILED, PublicationState.SUPERSEDED])
def test_what_tiktok_failed_or_was_given_up_is_no_post(
    workspace: Workspace, account: Account, make_post: MakePost, state: PublicationState
) -> None:
    for _ in range(15):
        make_publication(workspace, make_post(account, state=PostState.UPLOADING), state=state)
    assert caps(workspace, make_post(account)) == 0


def test_a_post_that_was_let_through_counts_once_before_its_publication_and_after(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    narrow = replace(
        workspace, rules=replace(workspace.rules, budgets=BudgetLimits(posts_per_day=3))
    )
    posts = [make_post(account) for _ in range(4)]
    assert [caps(narrow, post) for post in posts[:2]] == [0, 0]
    for post in posts[:2]:
        make_publication(narrow, post, state=PublicationState.INITIATING)
    assert caps(narrow, posts[2]) == 0
    assert caps(narrow, posts[3]) == pytest.approx(DAY_S + 1, abs=1)
    assert caps(narrow, posts[2]) == 0  # again, as after a crash


def test_a_post_s_own_earlier_publication_does_not_stand_in_its_way(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    for _ in range(14):
        publish(workspace, make_post, account)
    post = make_post(account, state=PostState.UPLOADING)
    make_publication(workspace, post)
    assert caps(workspace, post) == 0


def test_the_sixth_waiting_draft_waits_unless_the_creator_posted_one(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    drafts = [
        publish(workspace, make_post, account, state=PostState.IN_INBOX, mode=PostMode.DRAFT)
        for _ in range(5)
    ]
    post = make_post(account, mode=PostMode.DRAFT)
    assert caps(workspace, post) == pytest.approx(DAY_S + 1)
    assert caps(workspace, make_post(account)) == 0
    change_post(workspace, drafts[0].id, state=PostState.PUBLISHED)
    assert caps(workspace, post) == 0


def test_posts_of_other_accounts_do_not_count(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    make_post: MakePost,
) -> None:
    other = make_account("other")
    for _ in range(15):
        publish(workspace, make_post, other)
    assert caps(workspace, make_post(account)) == 0
