"""The operators around a run's posts, as a worker runs them: find, clean up, settle, sum up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import ConfigurationError, LedgerNotMigratedError, TerminalError
from reelflow.ledger import batches
from reelflow.ledger.models import Account, Post
from reelflow.services.settling.settle import apply_status
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from reelflow_provider.operators.posts import (
    CleanUpFilesOperator,
    ExpireSessionsOperator,
    FindNewUploadsOperator,
    SummarizeOperator,
)
from tests import factories
from tests.data_folder import data_folder
from tests.integration.simulator_process import Simulator
from tests.unit.reelflow_provider.airflow_task import Ended, publish_id_of, run_task

DAY = timedelta(days=1)


def find(**run: Any) -> Ended:
    return run_task(FindNewUploadsOperator, **run)


def clean_up(post: Post, **how: Any) -> Ended:
    return run_task(CleanUpFilesOperator, post_id=post.id, **how)


@pytest.fixture
def published(worker: Workspace, sent_post: Callable[..., Post]) -> Post:
    """A post that TikTok has published and nobody has cleaned up after."""
    post = sent_post()
    status = PublishStatus("PUBLISH_COMPLETE", post_ids=("7300000000000000001",))
    apply_status(worker, post.id, publish_id_of(worker, post), status, actor="tests")
    return factories.read_post(worker, post.id)


# find_new_uploads


def names(worker: Workspace, post_ids: list[int]) -> list[str]:
    return [factories.read_post(worker, post_id).media.file_name for post_id in post_ids]


def test_what_the_group_expands_over_is_the_posts_ids(
    worker: Workspace, account: Account, drop: Callable[..., Path]
) -> None:
    due = factories.make_post(worker, account, file_name="due.mp4")
    drop(account, "new.mp4")
    found = find().result
    assert found[0] == due.id
    assert names(worker, found) == ["due.mp4", "new.mp4"]


def test_nothing_to_do_is_an_empty_list_and_no_failure(worker: Workspace) -> None:
    ended = find()
    assert (ended.state, ended.result) == ("success", [])


def test_the_same_run_cleared_gets_the_same_batch(
    worker: Workspace, account: Account, drop: Callable[..., Path]
) -> None:
    drop(account, "first.mp4")
    before = find(run_id="run-1").result
    drop(account, "second.mp4")
    assert find(run_id="run-1").result == before
    assert names(worker, find(run_id="run-2").result) == ["second.mp4"]


@pytest.mark.parametrize("run_type", ["scheduled", "asset_triggered", "manual"])
def test_a_run_takes_what_is_due_until_its_run_after(
    run_type: str, worker: Workspace, account: Account
) -> None:
    run_after = worker.ledger.now() - timedelta(minutes=10)
    due = factories.make_post(worker, account, due_at=run_after)
    factories.make_post(worker, account, due_at=run_after + timedelta(seconds=1))
    # The interval of a scheduled run is a day that has passed, and not what it is about.
    interval = (run_after - DAY, run_after - DAY / 2) if run_type == "scheduled" else None
    found = find(run_type=run_type, run_after=run_after, interval=interval).result
    assert found == [due.id]


def test_a_run_takes_nothing_that_is_too_late_by_the_setting(
    worker: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_MAX_LATENESS_H", "1")
    now = worker.ledger.now()
    late = factories.make_post(worker, account, due_at=now - timedelta(hours=2))
    taken = factories.make_post(worker, account, due_at=now - timedelta(minutes=30))
    assert find(run_after=now).result == [taken.id]
    assert factories.read_post(worker, late.id).state is PostState.MISSED


def test_a_backfill_takes_what_was_wished_for_in_its_interval(
    worker: Workspace, account: Account, drop: Callable[..., Path]
) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    wished = {
        name: factories.make_post(
            worker, account, state=PostState.MISSED, publish_at=at, due_at=at, keyed=False
        )
        for name, at in {
            "before": start - timedelta(seconds=1),
            "first": start,
            "last": start + DAY - timedelta(seconds=1),
            "after": start + DAY,
        }.items()
    }
    drop(account, "new.mp4")
    found = find(run_type="backfill", run_after=start + DAY, interval=(start, start + DAY)).result
    assert found == [wished["first"].id, wished["last"].id]


def test_a_ledger_that_is_not_migrated_fails_with_the_command(
    worker: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    ended = find()
    assert ended.state == "failed"
    assert isinstance(ended.error, LedgerNotMigratedError)
    assert "reelflow db upgrade" in str(ended.error)


# clean_up_files, and announcing


def test_a_published_post_loses_its_source_and_is_announced_once(
    worker: Workspace, published: Post
) -> None:
    ended = clean_up(published)
    assert ended.result == {"source_deleted": True, "announced": True}
    assert not data_folder(worker).path(published.media.source_path).exists()
    assert ended.events == [
        {
            "asset": "reelflow_published",
            "post_id": published.id,
            "account": "aurora",
            "file_name": "clip.mp4",
            "kind": "video",
            "state": "PUBLISHED",
            "publish_id": publish_id_of(worker, published),
            "tiktok_post_id": "7300000000000000001",
            "link": "https://www.tiktok.com/@aurora.kitchen/video/7300000000000000001",
            "sha256": published.sha256,
            "size_bytes": published.media.size_bytes,
        }
    ]


def test_the_event_goes_through_the_alias_alone(published: Post) -> None:
    (event,) = clean_up(published).message.outlet_events
    assert event["source_alias_name"] == "reelflow_published_posts"


def test_cleared_it_announces_nothing_again(worker: Workspace, published: Post) -> None:
    clean_up(published)
    announced_at = factories.read_post(worker, published.id).announced_at
    assert announced_at is not None
    again = clean_up(published)
    assert again.result == {"source_deleted": True, "announced": False}
    assert again.events == []
    assert factories.read_post(worker, published.id).announced_at == announced_at


def test_it_is_remembered_as_announced_only_when_airflow_has_the_event(
    worker: Workspace, published: Post
) -> None:
    killed = clean_up(published, finalize=False)
    assert killed.events
    assert factories.read_post(worker, published.id).announced_at is None
    assert clean_up(published).events == killed.events


def test_it_is_announced_again_when_airflow_refused_the_event(
    worker: Workspace, published: Post
) -> None:
    refused = clean_up(published, final_state="failed")
    assert factories.read_post(worker, published.id).announced_at is None
    assert clean_up(published).events == refused.events
    assert factories.read_post(worker, published.id).announced_at is not None


def test_a_post_that_is_still_processing_keeps_its_source_and_is_not_announced(
    worker: Workspace, sent_post: Callable[..., Post], retried: list[str]
) -> None:
    post = sent_post()
    ended = clean_up(post)
    assert (ended.state, ended.message.retry_reason) == ("up_for_retry", "not_published")
    assert retried == ["not_published"]
    assert factories.read_post(worker, post.id).announced_at is None
    assert data_folder(worker).path(post.media.source_path).exists()


def test_a_post_that_was_given_a_later_time_keeps_its_source_and_is_no_failure(
    worker: Workspace, account: Account
) -> None:
    post = factories.make_post(worker, account, publish_at=datetime(2100, 1, 1, tzinfo=UTC))
    assert clean_up(post).result == {"source_deleted": False, "announced": False}
    assert data_folder(worker).path(post.media.source_path).exists()


def test_a_held_post_is_not_cleaned_up(worker: Workspace, account: Account) -> None:
    post = factories.make_post(worker, account, state=PostState.HELD, reason="ask mia")
    assert "ask mia" in clean_up(post).skipped_because
    assert data_folder(worker).path(post.media.source_path).exists()


# expire_sessions


def test_what_dead_runs_left_is_settled_cleaned_and_announced(
    worker: Workspace, tiktok: Simulator, sent_post: Callable[..., Post]
) -> None:
    post = sent_post("SELF_ONLY")
    factories.change_post(worker, post.id, claimed_until=worker.ledger.now())
    first = run_task(ExpireSessionsOperator)
    assert first.result["still_unsettled"] == 1  # TikTok is processing it
    second = run_task(ExpireSessionsOperator)
    assert second.result["settled"] == {str(post.id): "PUBLISHED_NO_LINK"}
    assert second.result["cleaned"] == [post.id]
    assert second.result["announced"] == [post.id]
    assert [event["post_id"] for event in second.events] == [post.id]
    assert factories.read_post(worker, post.id).announced_at is not None
    third = run_task(ExpireSessionsOperator)
    assert (third.result["announced"], third.events) == ([], [])


def test_what_the_own_run_left_unfinished_is_settled_by_that_run(
    worker: Workspace, tiktok: Simulator, sent_post: Callable[..., Post]
) -> None:
    """Its claim still lasts, but every task that worked on its posts has ended."""
    post = sent_post("SELF_ONLY")
    later = worker.ledger.now() + DAY
    factories.change_post(worker, post.id, claimed_by="run-1", claimed_until=later)
    other = run_task(ExpireSessionsOperator, run_id="run-2")
    assert (other.result["settled"], other.result["still_unsettled"]) == ({}, 0)
    run_task(ExpireSessionsOperator, run_id="run-1")  # TikTok is processing it
    own = run_task(ExpireSessionsOperator, run_id="run-1")
    assert own.result["settled"] == {str(post.id): "PUBLISHED_NO_LINK"}
    assert own.result["announced"] == [post.id]


def test_several_posts_are_announced_by_one_event_each(
    worker: Workspace, tiktok: Simulator, sent_post: Callable[..., Post]
) -> None:
    posts = [sent_post("SELF_ONLY") for _ in range(2)]
    for post in posts:
        factories.change_post(worker, post.id, claimed_until=worker.ledger.now())
    run_task(ExpireSessionsOperator)
    events = run_task(ExpireSessionsOperator).events
    assert [event["post_id"] for event in events] == [post.id for post in posts]
    assert all(factories.read_post(worker, post.id).announced_at for post in posts)


def test_a_stalled_upload_goes_back_to_ready(
    worker: Workspace, tiktok: Simulator, account: Account
) -> None:
    post = factories.make_post(
        worker,
        account,
        state=PostState.UPLOADING,
        lease_owner="a dead worker",
        lease_until=worker.ledger.now() - timedelta(seconds=1),
    )
    assert run_task(ExpireSessionsOperator).result["returned_to_ready"] == [post.id]


def test_nothing_to_settle_announces_nothing(tiktok: Simulator) -> None:
    ended = run_task(ExpireSessionsOperator)
    assert (ended.state, ended.events) == ("success", [])


def test_settling_without_a_connection_fails_with_the_reason(worker: Workspace) -> None:
    ended = run_task(ExpireSessionsOperator)
    assert ended.state == "failed"
    assert isinstance(ended.error, ConfigurationError)


# summarize


def summarize(**arguments: Any) -> Ended:
    return run_task(SummarizeOperator, run_id="run-1", **arguments)


def batch_of(worker: Workspace, account: Account, *states: PostState, **fields: Any) -> list[Post]:
    posts = [
        factories.make_post(worker, account, state=state, file_name=f"{state}.mp4", **fields)
        for state in states
    ]
    now = worker.ledger.now()
    with worker.ledger.write() as session:
        batches.append(session, "run-1", [post.id for post in posts], now=now)
    return posts


def test_a_run_whose_posts_went_well_is_counted_by_state(
    worker: Workspace, account: Account
) -> None:
    batch_of(worker, account, PostState.PUBLISHED, PostState.PUBLISHED, PostState.PROCESSING)
    factories.make_post(worker, account, state=PostState.FAILED)  # of another run
    ended = summarize(batch=[1])
    assert (ended.state, ended.result) == ("success", {"PUBLISHED": 2, "PROCESSING": 1})


def test_a_run_is_failed_at_once_with_every_post_that_needs_a_person(
    worker: Workspace, account: Account
) -> None:
    fields = {"reason": "the reason", "fix": "the fix"}
    states = (PostState.PUBLISHED, PostState.FAILED, PostState.REJECTED, PostState.UNKNOWN)
    good, *bad = batch_of(worker, account, *states, **fields)
    ended = summarize(batch=[1])
    assert ended.state == "failed"  # trying again says the same
    assert isinstance(ended.error, TerminalError)
    message = str(ended.error)
    assert message.startswith("3 of 4 posts need a person:\n")
    for post in bad:
        assert (
            f"post {post.id} ({post.state}.mp4, acme): {post.state}: the reason. To fix: the fix"
        ) in message
    assert f"post {good.id} " not in message


def test_a_post_that_was_not_sent_fails_the_run_unless_its_next_try_is_recorded(
    worker: Workspace, account: Account
) -> None:
    (post,) = batch_of(worker, account, PostState.READY)
    assert summarize(batch=[1]).state == "failed"
    factories.change_post(worker, post.id, rescheduled_because="TikTok is down: again at 12:00")
    assert summarize(batch=[1]).result == {"READY": 1}


def test_a_run_without_posts_is_fine(worker: Workspace) -> None:
    assert summarize(batch=[]).result == {}


def test_a_run_whose_batch_could_not_be_found_fails(worker: Workspace) -> None:
    ended = summarize(batch=None)
    assert ended.state == "failed"
    assert "find_new_uploads did not end" in str(ended.error)
