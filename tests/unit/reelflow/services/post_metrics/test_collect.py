"""Collecting counts: which posts are asked about, by which calls, and one account by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, text

from reelflow.domain.post import PostState
from reelflow.exceptions import (
    AccountRevokedError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokUnavailableError,
)
from reelflow.ledger.metrics_models import PostMetrics
from reelflow.ledger.models import Account
from reelflow.services.calls.rounds import FAILED_ACCOUNTS_MAX
from reelflow.services.post_metrics.collect import Missing, collect_metrics
from reelflow.services.post_metrics.troubles import tell_troubles
from reelflow.services.workspace import Workspace
from tests.factories import Clock, change_account, change_post, make_account
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.post_metrics.counted_tiktok import CountedTikTok, make_published

pytestmark = ON_BOTH_DATABASES

S = PostState
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
UNAVAILABLE = TikTokUnavailableError("TikTok answered 503")
LIMITED = TikTokRateLimitedError("too many calls", code="rate_limit_exceeded")


@pytest.fixture
def clock() -> Clock:
    """A morning, so that an hour more is the same day."""
    return Clock(datetime(2026, 11, 23, 1, 10, tzinfo=UTC))


@pytest.fixture
def tiktok() -> CountedTikTok:
    return CountedTikTok()


def views(workspace: Workspace) -> dict[tuple[int, date], int | None]:
    with workspace.ledger.read() as session:
        rows = session.scalars(select(PostMetrics)).all()
    return {(row.post_id, row.day): row.view_count for row in rows}


def test_the_counts_of_a_post_are_kept_as_tiktok_told_them(
    workspace: Workspace, account: Account, clock: Clock, tiktok: CountedTikTok
) -> None:
    post, video_id = make_published(workspace, account)
    tiktok.count(video_id, 2**40, like_count=90, comment_count=None, share_count=2)
    found = collect_metrics(workspace, tiktok)
    with workspace.ledger.read() as session:
        row = session.scalars(select(PostMetrics)).one()
    assert (row.post_id, row.day, row.collected_at) == (post.id, date(2026, 11, 23), clock())
    assert (row.view_count, row.like_count, row.comment_count, row.share_count) == (
        2**40, 90, None, 2,
    )  # fmt: skip
    assert (found.day, found.posts, found.accounts) == (row.day, 1, [account.id])
    assert (found.hidden, found.missing) == (0, [])


def test_the_same_day_is_replaced_and_another_day_is_added(
    workspace: Workspace, account: Account, clock: Clock, tiktok: CountedTikTok
) -> None:
    post, video_id = make_published(workspace, account, tiktok, views=10)
    collect_metrics(workspace, tiktok)
    tiktok.count(video_id, 15)
    clock.advance(timedelta(hours=2))
    collect_metrics(workspace, tiktok)
    tiktok.count(video_id, 12)  # TikTok takes counts back, of views that it no longer believes
    clock.advance(DAY)
    collect_metrics(workspace, tiktok)
    assert views(workspace) == {
        (post.id, date(2026, 11, 23)): 15,
        (post.id, date(2026, 11, 24)): 12,
    }


def test_a_pass_that_crosses_midnight_has_one_day(
    workspace: Workspace, account: Account, clock: Clock, tiktok: CountedTikTok
) -> None:
    posts = [make_published(workspace, account, tiktok)[0] for _ in range(21)]
    tiktok.on_call = lambda _: clock.set(datetime(2026, 11, 24, 0, 0, 1, tzinfo=UTC))
    clock.set(datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC))
    collect_metrics(workspace, tiktok)
    assert views(workspace).keys() == {(post.id, date(2026, 11, 23)) for post in posts}


@pytest.mark.parametrize("count", [1, 20, 21, 41])
def test_one_call_asks_about_twenty_posts(
    workspace: Workspace, account: Account, tiktok: CountedTikTok, count: int
) -> None:
    ids = [make_published(workspace, account, tiktok)[1] for _ in range(count)]
    assert collect_metrics(workspace, tiktok).posts == count
    assert [one for _, asked in tiktok.asked for one in asked] == ids
    assert [len(asked) for _, asked in tiktok.asked[:-1]] == [20] * (len(tiktok.asked) - 1)
    assert len(tiktok.asked) == -(-count // 20)


@pytest.mark.parametrize("state", sorted(S))
def test_only_published_posts_are_followed(
    workspace: Workspace, account: Account, tiktok: CountedTikTok, state: PostState
) -> None:
    make_published(workspace, account, tiktok, state=state)
    is_followed = state in {S.PUBLISHED, S.PUBLISHED_NO_LINK}
    assert collect_metrics(workspace, tiktok).posts == int(is_followed)


@pytest.mark.parametrize(("age", "is_followed"), [(90 * DAY - SECOND, True), (90 * DAY, False)])
def test_a_post_is_followed_for_some_time_only(
    workspace: Workspace,
    account: Account,
    clock: Clock,
    tiktok: CountedTikTok,
    age: timedelta,
    is_followed: bool,
) -> None:
    make_published(workspace, account, tiktok, state_since=clock() - age)
    assert collect_metrics(workspace, tiktok).posts == int(is_followed)


def test_what_tiktok_does_not_show_is_counted_and_no_trouble(
    workspace: Workspace, account: Account, tiktok: CountedTikTok
) -> None:
    make_published(workspace, account)  # deleted, or private by now
    make_published(workspace, account, tiktok_post_id=None)
    shown, _ = make_published(workspace, account, tiktok)
    found = collect_metrics(workspace, tiktok)
    assert (found.posts, found.hidden, found.missing) == (1, 1, [])
    assert [post_id for post_id, _ in views(workspace)] == [shown.id]


def test_a_video_that_nobody_asked_about_is_nobodys(
    workspace: Workspace, account: Account, tiktok: CountedTikTok
) -> None:
    _, video_id = make_published(workspace, account, tiktok, views=5)
    tiktok.count("1", 7)
    tiktok.videos[video_id], tiktok.videos["1"] = tiktok.videos["1"], tiktok.videos[video_id]
    assert collect_metrics(workspace, tiktok).posts == 0
    assert views(workspace) == {}


def test_nothing_to_follow_asks_nobody(
    workspace: Workspace, account: Account, tiktok: CountedTikTok
) -> None:
    found = collect_metrics(workspace, tiktok)
    assert (found.posts, found.accounts, tiktok.asked) == (0, [], [])


# one account's trouble


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (UNAVAILABLE, True),
        (LIMITED, True),
        (AccountRevokedError("the access to account acme ended"), False),
        (TikTokAuthError("no scope", code="scope_not_authorized"), False),
        (ValueError("a row that was changed by hand"), False),
    ],
)
def test_one_accounts_trouble_stops_no_other(
    workspace: Workspace, account: Account, tiktok: CountedTikTok, error: Exception, passes: bool
) -> None:
    make_published(workspace, account, tiktok)
    other = make_account(workspace, "bella")
    post, _ = make_published(workspace, other, tiktok)
    tiktok.errors[account.id] = error
    found = collect_metrics(workspace, tiktok)
    assert [post_id for post_id, _ in views(workspace)] == [post.id]
    assert (found.accounts, found.missing) == ([other.id], [account.id])
    assert (list(found.later), list(found.refused)) == (
        ([account.id], []) if passes else ([], [account.id])
    )
    told = found.later.get(account.id) or found.refused[account.id].why
    assert told == f"account acme: {error}"


def test_what_was_told_before_the_trouble_is_kept(
    workspace: Workspace, account: Account, tiktok: CountedTikTok
) -> None:
    posts = [make_published(workspace, account, tiktok)[0] for _ in range(21)]

    def fail_the_second_call(account_id: int) -> None:
        if len(tiktok.asked) == 2:
            raise LIMITED

    tiktok.on_call = fail_the_second_call
    found = collect_metrics(workspace, tiktok)
    assert (found.posts, found.accounts, found.missing) == (20, [], [account.id])
    assert {post_id for post_id, _ in views(workspace)} == {post.id for post in posts[:20]}


def test_a_scope_that_was_not_granted_is_told_with_the_fix_and_without_a_call(
    workspace: Workspace, account: Account, tiktok: CountedTikTok
) -> None:
    make_published(workspace, account, tiktok)
    change_account(workspace, account.id, scopes="video.publish")
    refusal = collect_metrics(workspace, tiktok).refused[account.id]
    assert refusal.code == "scope_not_authorized"
    assert refusal.why.startswith("account acme: its creator did not grant video.list. To fix:")
    assert "`reelflow accounts connect acme`" in refusal.why
    assert tiktok.asked == []
    change_account(workspace, account.id, scopes="video.list,video.publish")
    assert collect_metrics(workspace, tiktok).posts == 1


def make_followed(workspace: Workspace, tiktok: CountedTikTok, accounts: int) -> list[int]:
    """Add accounts with a published post each, and return their ids."""
    added = [make_account(workspace, f"acme-{number}") for number in range(accounts)]
    for one in added:
        make_published(workspace, one, tiktok)
    return [one.id for one in added]


def test_tiktok_out_of_reach_is_not_waited_for_account_by_account(
    workspace: Workspace, tiktok: CountedTikTok
) -> None:
    ids = make_followed(workspace, tiktok, FAILED_ACCOUNTS_MAX + 2)
    tiktok.errors = dict.fromkeys(ids, UNAVAILABLE)
    found = collect_metrics(workspace, tiktok)
    assert len(tiktok.asked) == FAILED_ACCOUNTS_MAX
    assert found.missing == ids
    (why, _) = (found.later[one] for one in ids if one not in tiktok.asked_accounts)
    assert "5 accounts failed in a row" in why


def test_accounts_that_fail_for_good_keep_no_other_from_being_asked(
    workspace: Workspace, tiktok: CountedTikTok
) -> None:
    ids = make_followed(workspace, tiktok, FAILED_ACCOUNTS_MAX + 1)
    failing = ids[: FAILED_ACCOUNTS_MAX - 1]
    tiktok.errors = dict.fromkeys(failing, UNAVAILABLE)
    first = collect_metrics(workspace, tiktok)
    assert sorted(first.accounts) == ids[FAILED_ACCOUNTS_MAX - 1 :]
    assert first.missing == failing


def test_however_many_accounts_fail_the_retries_get_round_to_the_others(
    workspace: Workspace, tiktok: CountedTikTok
) -> None:
    ids = make_followed(workspace, tiktok, 2 * FAILED_ACCOUNTS_MAX)
    tiktok.errors = dict.fromkeys(ids[:-1], UNAVAILABLE)
    first = found = collect_metrics(workspace, tiktok)
    for _ in range(40):  # half of the accounts are asked each time, whoever they are
        found = collect_metrics(workspace, tiktok, missing=Missing(found.missing, first.began_at))
    assert found.missing == ids[:-1]


@pytest.mark.parametrize("error", [LIMITED, AccountRevokedError("ended")])
def test_what_tiktok_refuses_is_no_outage(
    workspace: Workspace, tiktok: CountedTikTok, error: Exception
) -> None:
    ids = make_followed(workspace, tiktok, FAILED_ACCOUNTS_MAX + 1)
    tiktok.errors = dict.fromkeys(ids, error)
    collect_metrics(workspace, tiktok)
    assert sorted(tiktok.asked_accounts) == ids


def test_a_post_that_was_changed_by_hand_stops_no_account(
    workspace: Workspace, account: Account, tiktok: CountedTikTok
) -> None:
    damaged, _ = make_published(workspace, account, tiktok)
    other = make_account(workspace, "bella")
    make_published(workspace, other, tiktok)
    with workspace.ledger.write() as session:
        statement = text("UPDATE publications SET tiktok_post_id = 'no id' WHERE post_id = :id")
        session.execute(statement, {"id": damaged.id})
    assert sorted(collect_metrics(workspace, tiktok).accounts) == [account.id, other.id]


# what is missing


def test_again_only_what_today_lacks_is_asked_of_the_accounts_that_lack_it(
    workspace: Workspace, account: Account, clock: Clock, tiktok: CountedTikTok
) -> None:
    other = make_account(workspace, "bella")
    make_published(workspace, other, tiktok)
    _, collected = make_published(workspace, account, tiktok)
    began_at = collect_metrics(workspace, tiktok).began_at
    _, lacking = make_published(workspace, account, tiktok)
    make_published(workspace, other, tiktok)
    tiktok.asked.clear()
    missing = Missing([account.id], began_at)
    found = collect_metrics(workspace, tiktok, missing=missing)
    assert tiktok.asked == [(account.id, [lacking])]
    assert (found.posts, found.accounts) == (1, [account.id])
    clock.advance(DAY)
    tiktok.asked.clear()
    collect_metrics(workspace, tiktok, missing=missing)
    assert tiktok.asked == [(account.id, [collected, lacking])]


def test_what_was_collected_before_a_run_is_no_reason_for_it_to_ask_nothing(
    workspace: Workspace, account: Account, clock: Clock, tiktok: CountedTikTok
) -> None:
    make_published(workspace, account, tiktok)
    collect_metrics(workspace, tiktok)
    clock.advance(timedelta(hours=2))
    tiktok.errors[account.id] = AccountRevokedError("ended")
    first = collect_metrics(workspace, tiktok)
    again = collect_metrics(workspace, tiktok, missing=Missing(first.missing, first.began_at))
    assert list(again.refused) == [account.id]


def test_a_trouble_is_over_when_counts_are_collected_again_or_none_are_wanted(
    workspace: Workspace, account: Account, clock: Clock, tiktok: CountedTikTok
) -> None:
    post, _ = make_published(workspace, account, tiktok)
    tiktok.errors[account.id] = AccountRevokedError("ended")

    def is_new(run: str) -> bool:
        refused = collect_metrics(workspace, tiktok).refused
        (told,) = tell_troubles(workspace, refused, run=run)
        return told.is_new

    assert is_new("run_1")
    assert not is_new("run_2")
    error = tiktok.errors.pop(account.id)
    collect_metrics(workspace, tiktok, missing=Missing([account.id], clock()))
    tiktok.errors[account.id] = error
    assert is_new("run_3")
    change_post(workspace, post.id, state_since=clock() - 91 * DAY)
    collect_metrics(workspace, tiktok)
    change_post(workspace, post.id, state_since=clock())
    assert is_new("run_4")
