"""The operators that collect counts, as a worker runs them, before a real simulator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import ConfigurationError, TerminalError, TransientError
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.accounts.revocation import mark_revoked
from reelflow.services.post_metrics.shown import list_metrics
from reelflow.services.workspace import Workspace
from reelflow_provider.operators.post_metrics import (
    CollectMissingMetricsOperator,
    CollectPostMetricsOperator,
)
from tests import factories
from tests.integration.simulator_process import Simulator
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow_provider.airflow_task import Ended, publish_id_of, run_task
from tests.unit.reelflow_provider.conftest import Connect

RUN = "scheduled__1"


def collect() -> Ended:
    return run_task(CollectPostMetricsOperator, run_id=RUN)


def collect_missing(collected: Ended, *, run_id: str = RUN) -> Ended:
    return run_task(CollectMissingMetricsOperator, collected=collected.result, run_id=run_id)


def views(worker: Workspace) -> dict[int, int]:
    return {row["post_id"]: row["view_count"] for row in list_metrics(worker)}


@pytest.fixture
def other_creator(worker: Workspace, tiktok: Simulator) -> Account:
    known = tiktok.accounts[1]
    return factories.make_account(
        worker, "north", open_id=known["open_id"], access_token=known["access_token"]
    )


@pytest.fixture
def publish(
    worker: Workspace, tiktok: Simulator, sent_post: Callable[..., Post]
) -> Callable[..., Post]:
    """Publish a post at TikTok, which people view so often."""

    def make(view_count: int) -> Post:
        post = sent_post()
        publish_id = publish_id_of(worker, post)
        tiktok.steer(f"/uploads/{publish_id}/complete")
        (posted,) = [one for one in tiktok.posts() if one["publish_id"] == publish_id]
        tiktok.steer(f"/posts/{publish_id}/counts", view_count=view_count)
        _link(worker, post, posted["post_id"])
        return post

    return make


def _link(worker: Workspace, post: Post, tiktok_post_id: str) -> None:
    """Make a post PUBLISHED as settling does."""
    factories.change_post(worker, post.id, state=PostState.PUBLISHED)
    with worker.ledger.write() as session:
        for row in session.query(Publication).where(Publication.post_id == post.id):
            row.tiktok_post_id = tiktok_post_id


def test_counts_are_collected_and_announced(
    worker: Workspace, publish: Callable[..., Post]
) -> None:
    posts = [publish(12), publish(7)]
    ended = collect()
    day = datetime.now(UTC).date().isoformat()
    result = dict(ended.result)
    assert result.pop("began_at").startswith(day)
    assert result == {
        "posts": 2,
        "accounts": 1,
        "hidden": 0,
        "without_id": 0,
        "missing": [],
    }
    assert ended.events == [
        {
            "asset": "reelflow_post_metrics",
            "day": day,
            "posts": 2,
            "accounts": 1,
            "missing_accounts": 0,
        }
    ]
    assert views(worker) == {posts[0].id: 12, posts[1].id: 7}
    assert "act." not in f"{ended.xcoms}{ended.log}{ended.told}"


def test_cleared_it_collects_todays_counts_again(
    worker: Workspace, tiktok: Simulator, publish: Callable[..., Post]
) -> None:
    post = publish(12)
    collect()
    tiktok.steer(f"/posts/{publish_id_of(worker, post)}/counts", view_count=20)
    assert [event["posts"] for event in collect().events] == [1]
    assert views(worker) == {post.id: 20}


def test_a_run_that_collects_nothing_announces_nothing(creator: Account) -> None:
    ended = collect()
    assert (ended.result["posts"], ended.events) == (0, [])
    after = collect_missing(ended)
    assert (after.result, after.events) == ({"posts": 0}, [])


def test_a_revoked_account_delays_no_other_and_fails_one_run(
    worker: Workspace,
    tiktok: Simulator,
    publish: Callable[..., Post],
    other_creator: Account,
    capsys: pytest.CaptureFixture[str],
) -> None:
    post = publish(12)
    revoked = factories.make_post(worker, other_creator, state=PostState.PUBLISHED)
    make_publication(worker, revoked, tiktok_post_id="7678907398077074696")
    mark_revoked(worker, other_creator.id, why="its creator took it away", actor="tests")
    ended = collect()
    assert (ended.state, ended.result["missing"]) == ("success", [other_creator.id])
    assert [(event["posts"], event["missing_accounts"]) for event in ended.events] == [(1, 1)]
    tiktok.steer(f"/posts/{publish_id_of(worker, post)}/counts", view_count=20)
    red = collect_missing(ended)
    assert views(worker) == {post.id: 12}  # only what is missing is asked for again
    assert red.state == "failed"  # trying again says the same
    assert isinstance(red.error, TerminalError)
    assert str(red.error).startswith("accounts whose counts need a person: 1, and 0 told of")
    assert "`reelflow accounts connect north`" in str(red.error)
    assert collect_missing(collect()).state == "failed"  # cleared, it says so again
    later = collect_missing(collect(), run_id="scheduled__2")
    assert later.state == "success"
    assert "still, since" in capsys.readouterr().out


def test_what_passes_by_itself_is_retried_for_that_account_alone(
    worker: Workspace, tiktok: Simulator, creator: Account, publish: Callable[..., Post]
) -> None:
    post = publish(12)
    tiktok.fault("video_query", status=503, times=2, open_id=creator.open_id)
    first = collect()
    assert (first.state, first.result["missing"], first.events) == ("success", [creator.id], [])
    again = collect_missing(first)
    assert again.state == "up_for_retry"
    assert isinstance(again.error, TransientError)
    assert "account aurora: " in str(again.error)
    done = collect_missing(first)
    assert (done.state, done.result) == ("success", {"posts": 1})
    assert [event["posts"] for event in done.events] == [1]
    assert views(worker) == {post.id: 12}


def test_without_a_connection_it_fails_with_the_reason(
    worker: Workspace, connect: Connect, closed_url: str
) -> None:
    connect(None)
    ended = collect()
    assert ended.state == "failed"
    assert isinstance(ended.error, ConfigurationError)


def test_what_is_rendered_is_counts_and_ids(publish: Callable[..., Post]) -> None:
    publish(12)
    collected: Any = collect().result
    assert CollectMissingMetricsOperator.template_fields == ("tiktok_conn_id", "collected")
    assert all(isinstance(value, int | str | list) for value in collected.values())
