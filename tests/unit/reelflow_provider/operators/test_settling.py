"""The operators between the publishing runs, as a worker runs them: settle, tell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import ConfigurationError, TerminalError
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from reelflow_provider.operators.settling import (
    SettlePublicationsOperator,
    TellUnsettledPostsOperator,
)
from tests import factories
from tests.unit.reelflow_provider.airflow_task import RUN_ID, Ended, run_task

DAY = timedelta(days=1)


def settle(**how: Any) -> Ended:
    return run_task(SettlePublicationsOperator, **how)


def tell(run_id: str = RUN_ID) -> Ended:
    return run_task(TellUnsettledPostsOperator, run_id=run_id)


def test_what_tiktok_says_is_written_down_and_what_is_published_announced(
    worker: Workspace, sent_post: Callable[..., Post]
) -> None:
    post = sent_post("SELF_ONLY")
    factories.change_post(worker, post.id, claimed_until=worker.ledger.now())
    assert settle().result["still_unsettled"] == 1  # TikTok is processing it
    ended = settle()
    assert ended.result["settled"] == {str(post.id): "PUBLISHED_NO_LINK"}
    assert ended.result["cleaned"] == [post.id]
    assert [event["post_id"] for event in ended.events] == [post.id]
    assert factories.read_post(worker, post.id).announced_at is not None
    assert settle().events == []


def test_what_a_run_of_the_same_id_has_claimed_is_left_to_it(
    worker: Workspace, sent_post: Callable[..., Post]
) -> None:
    """Scheduled runs of two DAGs at the same minute have the same id."""
    post = sent_post("SELF_ONLY")
    later = worker.ledger.now() + DAY
    factories.change_post(worker, post.id, claimed_by=RUN_ID, claimed_until=later)
    for _ in range(2):
        ended = settle(run_id=RUN_ID)
        assert (ended.result["settled"], ended.result["still_unsettled"]) == ({}, 0)
        assert ended.events == []
    assert factories.read_post(worker, post.id).claimed_by == RUN_ID


def test_settling_without_a_connection_fails_with_the_reason(worker: Workspace) -> None:
    ended = settle()
    assert ended.state == "failed"
    assert isinstance(ended.error, ConfigurationError)


def test_a_run_is_red_for_a_post_that_nobody_was_told_of_and_later_runs_are_not(
    worker: Workspace, account: Account, capfd: pytest.CaptureFixture[str]
) -> None:
    fields = {"state": PostState.UNKNOWN, "reason": "the reason", "fix": "the fix"}
    first = factories.make_post(worker, account, file_name="first.mp4", **fields)
    red = tell("run-1")
    assert red.state == "failed"  # trying again says the same
    assert isinstance(red.error, TerminalError)
    assert str(red.error) == (
        "posts that need a person: 1, and 0 told of before:\n"
        f"post {first.id} (first.mp4, acme): UNKNOWN: the reason. To fix: the fix"
    )
    assert "still: " not in capfd.readouterr().out
    green = tell("run-2")
    assert f"still: post {first.id} (first.mp4, acme): UNKNOWN: the" in capfd.readouterr().out
    assert (green.state, green.result) == ("success", [first.id])
    second = factories.make_post(worker, account, file_name="second.mp4", **fields)
    message = str(tell("run-3").error)
    assert message.startswith("posts that need a person: 1, and 1 told of before:\n")
    assert f"post {second.id} (second.mp4" in message
    assert "first.mp4" not in message


def test_a_cleared_run_is_red_again_until_its_posts_are_settled(
    worker: Workspace, account: Account
) -> None:
    post = factories.make_post(worker, account, state=PostState.UNKNOWN)
    assert [tell("run-1").state, tell("run-2").state, tell("run-1").state] == [
        "failed",
        "success",
        "failed",
    ]
    factories.change_post(worker, post.id, state=PostState.PUBLISHED)
    assert tell("run-1").result == []


def test_nothing_to_tell_is_an_empty_list_and_no_failure(worker: Workspace) -> None:
    ended = tell()
    assert (ended.state, ended.result) == ("success", [])
