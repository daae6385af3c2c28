"""Counts of posts that were really published, collected from the simulator over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger.models import Post
from reelflow.services.post_metrics.collect import MetricsPass, collect_metrics
from reelflow.services.post_metrics.shown import list_metrics
from tests import factories
from tests.integration.publisher import Publisher
from tests.integration.runs import add_connected_account

DAY = timedelta(days=1)


def collect(publisher: Publisher) -> MetricsPass:
    with publisher.simulator.client(publisher.limits) as client:
        tiktok = factories.account_clients(publisher.workspace, client, publisher.oauth)
        return collect_metrics(publisher.workspace, tiktok)


def published(publisher: Publisher, *, caption: str = "") -> Post:
    post = publisher.make_post(caption=caption)
    publisher.upload(post)
    assert publisher.settle(post) is PostState.PUBLISHED
    return post


def steer(publisher: Publisher, post: Post, what: str, **body: object) -> None:
    publisher.simulator.steer(f"/posts/{publisher.current(post).publish_id}/{what}", **body)


def counted(publisher: Publisher, post: Post, **counts: int) -> None:
    steer(publisher, post, "counts", **counts)


def views(publisher: Publisher) -> dict[int, int]:
    return {row["post_id"]: row["view_count"] for row in list_metrics(publisher.workspace)}


@pytest.fixture
def other(publisher: Publisher) -> Publisher:
    """Another account of the same ledger."""
    creator = publisher.simulator.accounts[1]
    account = factories.make_account(
        publisher.workspace,
        "north",
        open_id=creator["open_id"],
        access_token=creator["access_token"],
    )
    return replace(publisher, account=account)


@pytest.fixture
def grants_everything(publisher: Publisher) -> Iterator[None]:
    """Give creators back what a test took from them."""
    yield
    publisher.simulator.reset()


def test_what_people_did_is_in_the_ledger_day_by_day(publisher: Publisher) -> None:
    post = published(publisher)
    counted(publisher, post, view_count=2**40, like_count=90, comment_count=4, share_count=2)
    today = collect(publisher).day
    counted(publisher, post, view_count=2**40 + 5)
    publisher.pass_time(DAY)
    found = collect(publisher)
    assert (found.day, found.posts, found.missing) == (today + DAY, 1, [])
    rows = list_metrics(publisher.workspace, since=today)
    assert [(row["day"], row["view_count"], row["like_count"]) for row in rows] == [
        (today.isoformat(), 2**40, 90),
        ((today + DAY).isoformat(), 2**40 + 5, 90),
    ]


def test_deleted_and_hidden_posts_and_those_nobody_may_see_are_no_trouble(
    publisher: Publisher,
) -> None:
    kept, deleted, hidden = (published(publisher) for _ in range(3))
    private = publisher.make_post(privacy_level="SELF_ONLY")
    publisher.upload(private)
    assert publisher.settle(private) is PostState.PUBLISHED_NO_LINK
    steer(publisher, deleted, "delete")
    steer(publisher, hidden, "privacy", privacy_level="SELF_ONLY")
    found = collect(publisher)
    assert (found.posts, found.hidden, found.missing) == (1, 2, [])
    assert views(publisher).keys() == {kept.id}


@pytest.mark.usefixtures("grants_everything")
def test_a_scope_that_tiktok_says_is_missing_is_told_of_that_account_alone(
    publisher: Publisher, other: Publisher
) -> None:
    published(publisher)
    post = published(other)
    username = publisher.simulator.accounts[0]["username"]
    publisher.simulator.steer(f"/accounts/{username}", scopes=["video.publish"])
    found = collect(publisher)
    refusal = found.refused[publisher.account.id]
    assert refusal.code == "scope_not_authorized"
    assert "video.list" in refusal.why
    assert views(publisher).keys() == {post.id}


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429, "code": "rate_limit_exceeded"},
        {"status": 503},
        {"kind": "drop"},
        {"kind": "error", "status": 200, "body": {"data": {"videos": [{}]}, "error": {}}},
    ],
    ids=["limited", "unavailable", "dropped", "garbled"],
)
def test_a_call_that_fails_costs_no_other_account_and_is_made_good_later(
    publisher: Publisher, other: Publisher, fault: dict[str, object]
) -> None:
    posts = [published(publisher), published(other)]
    publisher.simulator.fault("video_query", **{**fault, "open_id": publisher.account.open_id})  # type: ignore[arg-type]
    found = collect(publisher)
    assert found.missing == [publisher.account.id]
    assert views(publisher).keys() == {posts[1].id}
    assert collect(publisher).missing == []
    assert views(publisher).keys() == {post.id for post in posts}


def test_an_expired_token_is_renewed_on_the_way(publisher: Publisher) -> None:
    account = add_connected_account(publisher.workspace, publisher.simulator)
    with publisher.simulator.oauth_client() as oauth:
        owner = replace(publisher, account=account, oauth=oauth)
        post = published(owner)
        username = publisher.simulator.accounts[0]["username"]
        publisher.simulator.steer(f"/accounts/{username}", expire_access_token=True)
        assert collect(owner).posts == 1
    assert views(publisher).keys() == {post.id}


def test_an_account_whose_creator_took_the_access_away_is_told_and_the_other_collected(
    publisher: Publisher, other: Publisher
) -> None:
    published(publisher)
    post = published(other)
    username = publisher.simulator.accounts[0]["username"]
    publisher.simulator.steer(f"/accounts/{username}", remove_authorization=1)
    found = collect(publisher)
    assert found.refused[publisher.account.id].code in {"account_revoked", "access_token_invalid"}
    assert f"`reelflow accounts connect {publisher.account.name}`" in str(
        found.refused[publisher.account.id].why
    )
    assert views(publisher).keys() == {post.id}
