"""The operator that sweeps the store, as a worker runs it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import TransientError
from reelflow.ledger import audit
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.workspace import Workspace
from reelflow_provider.operators.storage import SweepStorageOperator
from tests.data_folder import data_folder
from tests.unit.reelflow_provider.airflow_task import Ended, run_task


def sweep(**params: Any) -> Ended:
    return run_task(SweepStorageOperator, params=params)


@pytest.fixture
def failed(worker: Workspace, account: Account, make_post: Callable[..., Post]) -> Post:
    """A post that failed 31 days ago."""
    ended = worker.ledger.now() - timedelta(days=31)
    return make_post(account, state=PostState.FAILED, state_since=ended)


def path(worker: Workspace, post: Post) -> Path:
    return data_folder(worker).path(post.media.source_path)


def test_it_returns_counts_and_tells_the_posts_story_who_deleted(
    worker: Workspace, failed: Post
) -> None:
    ended = sweep()
    assert ended.result == {
        "dry_run": False,
        "found": {"orphan": 0, "quarantine": 0, "retention": 1},
        "found_bytes": failed.media.size_bytes,
        "deleted": 1,
        "deleted_bytes": failed.media.size_bytes,
    }
    assert not path(worker, failed).exists()
    with worker.ledger.read() as session:
        assert audit.story(session, failed.id)[-1].actor.startswith("tests/")
    assert sweep().result["found_bytes"] == 0  # as when it is cleared


def test_a_dry_run_finds_the_same_and_deletes_nothing(worker: Workspace, failed: Post) -> None:
    result = sweep(dry_run=True).result
    assert (result["dry_run"], result["found"]["retention"], result["deleted"]) == (True, 1, 0)
    assert path(worker, failed).exists()


def test_the_retention_time_is_a_setting(
    worker: Workspace, failed: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_RETENTION_DAYS", "32")
    assert sweep().result["deleted"] == 0
    monkeypatch.setenv("REELFLOW_RETENTION_DAYS", "30.5")
    assert sweep().result["deleted"] == 1


def test_what_cannot_be_deleted_makes_it_red_and_is_named(worker: Workspace, failed: Post) -> None:
    with worker.ledger.write() as session:
        session.get_one(Media, failed.media_id).source_path = "../by hand.mp4"
    for _ in range(2):  # the next try finds it again
        ended = sweep()
        assert ended.state == "up_for_retry"
        assert isinstance(ended.error, TransientError)
        assert ended.error.code == "storage_not_swept"
        assert "1 of 1 could not be deleted" in str(ended.error)
        assert "../by hand.mp4" in str(ended.error)
