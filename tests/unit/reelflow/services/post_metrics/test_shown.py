"""Counts as they are read: the last day of each post, or every day since one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from reelflow.domain.post import PostKind, PostState
from reelflow.exceptions import AccountNotFoundError
from reelflow.ledger.models import Account
from reelflow.services.post_metrics.collect import Refusal, collect_metrics
from reelflow.services.post_metrics.shown import (
    count_without_id,
    latest_counts,
    list_metrics,
    uncollected_accounts,
)
from reelflow.services.post_metrics.troubles import tell_troubles
from reelflow.services.workspace import Workspace
from tests.factories import Clock, make_account, make_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.post_metrics.counted_tiktok import CountedTikTok, make_published

pytestmark = ON_BOTH_DATABASES

DAY = timedelta(days=1)


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 23, 1, 10, tzinfo=UTC))


@pytest.fixture
def three_days(workspace: Workspace, account: Account, clock: Clock) -> list[int]:
    """The ids of two posts of two accounts; the later one was deleted on the second day."""
    tiktok = CountedTikTok()
    kept, kept_id = make_published(workspace, account, file_name="kept.mp4")
    other = make_account(workspace, "bella")
    deleted, deleted_id = make_published(workspace, other, tiktok, views=1)
    for number in range(3):
        tiktok.count(kept_id, 10 * number, like_count=number)
        collect_metrics(workspace, tiktok)
        tiktok.videos.pop(deleted_id, None)
        clock.advance(DAY)
    return [kept.id, deleted.id]


def days(rows: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(row["post_id"], row["day"]) for row in rows]


def test_the_last_day_of_each_post_is_listed_newest_post_last(
    workspace: Workspace, three_days: list[int]
) -> None:
    kept, deleted = three_days
    rows = list_metrics(workspace)
    assert days(rows) == [(kept, "2026-11-25"), (deleted, "2026-11-23")]
    assert rows[0] == {
        "post_id": kept,
        "account": "acme",
        "file_name": "kept.mp4",
        "day": "2026-11-25",
        "view_count": 20,
        "like_count": 2,
        "comment_count": 0,
        "share_count": 0,
        "collected_at": "2026-11-25T01:10:00+00:00",
    }


def test_every_day_since_one_is_listed_oldest_day_first(
    workspace: Workspace, three_days: list[int]
) -> None:
    kept, _ = three_days
    rows = list_metrics(workspace, since=date(2026, 11, 24))
    assert days(rows) == [(kept, "2026-11-24"), (kept, "2026-11-25")]


def test_one_accounts_posts_are_listed(workspace: Workspace, three_days: list[int]) -> None:
    kept, deleted = three_days
    assert [row["post_id"] for row in list_metrics(workspace, account="acme")] == [kept]
    assert [row["post_id"] for row in list_metrics(workspace, account="bella")] == [deleted]


def test_the_newest_posts_are_kept_where_there_are_too_many(
    workspace: Workspace, three_days: list[int]
) -> None:
    assert [row["post_id"] for row in list_metrics(workspace, limit=1)] == three_days[1:]


def test_an_account_that_nobody_knows_is_named(workspace: Workspace) -> None:
    with pytest.raises(AccountNotFoundError, match="nobody"):
        list_metrics(workspace, account="nobody")


def test_a_post_has_its_last_counts_or_none(
    workspace: Workspace, account: Account, three_days: list[int]
) -> None:
    with workspace.ledger.read() as session:
        shown = latest_counts(session, three_days[0])
        assert latest_counts(session, make_post(workspace, account).id) is None
    assert shown is not None
    assert (shown["day"], shown["view_count"]) == ("2026-11-25", 20)


def test_photo_posts_have_the_name_of_their_folder(workspace: Workspace, account: Account) -> None:
    tiktok = CountedTikTok()
    make_published(workspace, account, tiktok, kind=PostKind.PHOTO, file_name="trip/1.jpg")
    collect_metrics(workspace, tiktok)
    assert [row["file_name"] for row in list_metrics(workspace)] == ["trip"]


def test_posts_whose_videos_id_was_never_told_are_counted_while_they_would_be_followed(
    workspace: Workspace, account: Account, clock: Clock
) -> None:
    no_link = PostState.PUBLISHED_NO_LINK
    make_published(workspace, account)
    make_published(workspace, account, state=no_link, tiktok_post_id=None)
    make_post(workspace, account, state=no_link)  # a person found it, without an address
    make_published(workspace, account, state=PostState.PROCESSING, tiktok_post_id=None)
    assert count_without_id(workspace) == 2
    clock.advance(91 * DAY)
    assert count_without_id(workspace) == 0


def test_accounts_that_wait_for_a_person_are_named_with_the_reason(
    workspace: Workspace, account: Account
) -> None:
    assert uncollected_accounts(workspace) == []
    tell_troubles(workspace, {account.id: Refusal("account_revoked", "it ended")}, run="run_1")
    assert uncollected_accounts(workspace) == [
        {
            "account": "acme",
            "since": "2026-11-23T01:10:00+00:00",
            "code": "account_revoked",
            "why": "it ended",
        }
    ]
