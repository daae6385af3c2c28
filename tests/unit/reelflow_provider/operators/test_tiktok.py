"""TikTokUploadOperator as a worker runs it, before a real simulator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import DONE, PostState
from reelflow.exceptions import (
    BreakerOpenError,
    ConfigurationError,
    PostFailedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.ledger import breaker
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from reelflow_provider.operators.tiktok import TikTokUploadOperator
from tests import factories
from tests.integration.simulator_process import Simulator
from tests.unit.reelflow_provider.airflow_task import Ended, publish_id_of, run_task
from tests.unit.reelflow_provider.conftest import Connect


def upload(post: Post) -> Ended:
    return run_task(TikTokUploadOperator, post_id=post.id, map_index=0)


def test_the_bytes_are_sent_and_only_ids_are_returned(
    worker: Workspace, tiktok: Simulator, creator: Account
) -> None:
    post = factories.make_post(worker, creator, content=b"the very bytes")
    ended = upload(post)
    (published,) = tiktok.posts()
    assert ended.result == {"publish_id": published["publish_id"], "state": "PROCESSING"}
    assert tiktok.content(published["publish_id"]) == b"the very bytes"


def test_cleared_after_its_success_it_sends_nothing_and_returns_the_same(
    worker: Workspace, tiktok: Simulator, creator: Account
) -> None:
    post = factories.make_post(worker, creator)
    first, again = upload(post), upload(post)
    assert again.result == first.result
    assert len(tiktok.uploads()) == 1


@pytest.mark.parametrize("state", sorted(DONE))
def test_a_post_that_is_done_already_succeeds_without_a_call(
    state: PostState, worker: Workspace, creator: Account, tiktok: Simulator
) -> None:
    ended = upload(factories.make_post(worker, creator, state=state))
    assert ended.result["state"] == state
    assert tiktok.uploads() == []


@pytest.mark.parametrize("state", [PostState.HELD, PostState.CANCELLED, PostState.MISSED])
def test_a_post_that_is_not_for_a_run_skips_without_a_call(
    state: PostState, worker: Workspace, creator: Account, tiktok: Simulator
) -> None:
    ended = upload(factories.make_post(worker, creator, state=state, reason="so it is"))
    assert "so it is" in ended.skipped_because
    assert tiktok.uploads() == []


def test_an_unvalidated_post_is_tried_again_without_a_call(
    worker: Workspace, creator: Account, tiktok: Simulator
) -> None:
    ended = upload(factories.make_post(worker, creator, validated=False))
    assert (ended.state, ended.message.retry_reason) == ("up_for_retry", "not_validated")
    assert tiktok.uploads() == []


def test_a_refused_token_holds_the_post_and_skips_with_the_reason(
    worker: Workspace, tiktok: Simulator, read_post: Callable[[int], Post]
) -> None:
    stranger = factories.make_account(worker, "stranger", access_token="act.revoked")
    post = factories.make_post(worker, stranger)
    ended = upload(post)
    assert read_post(post.id).state is PostState.HELD
    assert "act.revoked" not in ended.skipped_because


def test_tiktok_out_of_reach_is_retried_later_and_the_post_is_kept(
    worker: Workspace,
    creator: Account,
    connect: Connect,
    closed_url: str,
    read_post: Callable[[int], Post],
) -> None:
    connect(closed_url)
    post = factories.make_post(worker, creator)
    ended = upload(post)
    assert isinstance(ended.error, TikTokUnreachableError)
    after = read_post(post.id)
    assert after.state is PostState.READY
    assert after.rescheduled_because


def test_an_unclear_answer_is_retried_in_the_same_task(
    worker: Workspace, creator: Account, tiktok: Simulator
) -> None:
    tiktok.fault("creator_info", status=503)
    ended = upload(factories.make_post(worker, creator))
    assert isinstance(ended.error, TikTokUnavailableError)
    assert (ended.state, ended.message.retry_reason) == ("up_for_retry", ended.error.code)


def test_a_missing_connection_fails_at_once_and_keeps_the_post_with_the_reason(
    worker: Workspace, account: Account, read_post: Callable[[int], Post]
) -> None:
    post = factories.make_post(worker, account)
    ended = upload(post)
    assert ended.state == "failed"
    assert isinstance(ended.error, ConfigurationError)
    assert "'tiktok_app' does not exist" in str(ended.error)
    after = read_post(post.id)
    assert (after.state, after.reason) == (PostState.READY, str(ended.error))


def test_another_connection_is_used_when_named(worker: Workspace, account: Account) -> None:
    post = factories.make_post(worker, account)
    ended = run_task(TikTokUploadOperator, post_id=post.id, tiktok_conn_id="other_app")
    assert "'other_app' does not exist" in str(ended.error)


def test_a_post_that_tiktok_refuses_fails_with_the_fix(
    worker: Workspace, creator: Account, tiktok: Simulator, read_post: Callable[[int], Post]
) -> None:
    post = factories.make_post(worker, creator)
    tiktok.fault("init", status=400, code="invalid_params")
    ended = upload(post)
    assert read_post(post.id).state is PostState.FAILED
    assert ended.state == "failed"
    assert isinstance(ended.error, PostFailedError)


def test_no_secret_is_in_what_airflow_learns(
    worker: Workspace, creator: Account, tiktok: Simulator
) -> None:
    post = factories.make_post(worker, creator)
    ended = upload(post)
    said = f"{ended.told} {ended.log} {ended.message}"
    assert publish_id_of(worker, post) in said
    assert tiktok.accounts[0]["access_token"] not in said
    assert "upload_token" not in said
    assert "the client secret" not in said


def open_breaker(worker: Workspace, probe_in: timedelta) -> None:
    now = worker.ledger.now()
    with worker.ledger.write() as session:
        breaker.trip(session, why="3 accounts failed", now=now, probe_at=now + probe_in)


def test_a_post_beyond_the_budget_of_the_day_is_skipped_with_its_time_and_no_failure(
    worker: Workspace, tiktok: Simulator, creator: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_POSTS_PER_DAY", "1")
    first, second = (factories.make_post(worker, creator) for _ in range(2))
    assert upload(first).state == "success"
    later = upload(second)
    assert f"post {second.id} goes out later" in later.skipped_because
    waiting = factories.read_post(worker, second.id)
    assert waiting.due_at > worker.ledger.now() + timedelta(hours=23)
    told = f"next try at {waiting.due_at:%Y-%m-%d %H:%M:%S} UTC: "
    assert str(waiting.rescheduled_because).startswith(told)
    assert len(tiktok.uploads()) == 1


def test_an_outage_of_some_minutes_is_left_to_the_ledger_and_told_with_its_time(
    worker: Workspace, tiktok: Simulator, creator: Account, retried: list[str]
) -> None:
    post = factories.make_post(worker, creator)
    open_breaker(worker, timedelta(minutes=10))
    assert "nothing new is begun until" in upload(post).skipped_because
    waiting = factories.read_post(worker, post.id)
    assert "3 accounts failed" in str(waiting.rescheduled_because)
    assert f"{waiting.due_at:%Y-%m-%d %H:%M:%S} UTC" in str(waiting.rescheduled_because)
    assert (tiktok.uploads(), retried) == ([], [])


def test_a_short_outage_is_waited_for_by_the_task_itself(
    worker: Workspace, tiktok: Simulator, creator: Account, retried: list[str]
) -> None:
    open_breaker(worker, timedelta(minutes=2))
    ended = upload(factories.make_post(worker, creator))
    assert ended.state == "up_for_retry"
    assert isinstance(ended.error, BreakerOpenError)
    assert 100 < ended.message.retry_delay_seconds <= 120
    assert (tiktok.uploads(), retried) == ([], ["breaker_open"])
