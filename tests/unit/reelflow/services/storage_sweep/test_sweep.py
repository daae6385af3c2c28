"""The whole sweep: oldest first, within its limit, and a dry run that tells what it would do."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import StorageAccessError
from reelflow.ledger.models import Account, Post
from reelflow.services.storage_sweep.found import Reason
from reelflow.services.storage_sweep.sweep import sweep_storage
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.frail_store import with_frail_store
from tests.left_behind import stored_keys

MakePost = Callable[..., Post]


@pytest.fixture
def old(workspace: Workspace, clock: Clock, account: Account, make_post: MakePost) -> list[str]:
    """Five failed posts and an orphan, all old; their keys, the oldest first."""
    posts = []
    for _ in range(5):
        posts.append(make_post(account, state=PostState.FAILED))
        clock.advance(timedelta(minutes=1))
    clock.advance(timedelta(days=40))
    orphan = f"media/{uuid.uuid4().hex}.mp4"
    workspace.folders.store.put(orphan, b"bytes", size_bytes=5)
    return [*(post.media.source_path for post in posts), orphan]


def test_a_dry_run_finds_what_the_next_run_deletes_and_touches_nothing(
    workspace: Workspace, old: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    dry = sweep_storage(workspace, actor="sweep", dry_run=True)
    assert stored_keys(workspace) == set(old)
    assert [one.key for one in dry.found] == old
    assert (dry.deleted, dry.deleted_bytes) == ([], 0)
    assert f"would delete {workspace.folders.store.shown(old[-1])} (5 bytes, orphan" in caplog.text
    real = sweep_storage(workspace, actor="sweep")
    assert real.found == real.deleted == dry.found
    assert stored_keys(workspace) == set()
    sizes = sum(one.size_bytes for one in dry.found)
    assert real.as_dict() == {
        "found": {"orphan": 1, "quarantine": 0, "retention": 5},
        "found_bytes": sizes,
        "deleted": 6,
        "deleted_bytes": sizes,
    }
    assert sweep_storage(workspace, actor="sweep").found == []


def test_the_oldest_go_first_and_the_next_sweep_goes_on(
    workspace: Workspace, old: list[str]
) -> None:
    for key in old:
        (deleted,) = sweep_storage(workspace, actor="sweep", at_once=1).deleted
        assert deleted.key == key


def test_what_cannot_be_deleted_stops_none_of_the_rest(
    workspace: Workspace, old: list[str]
) -> None:
    frail, store = with_frail_store(workspace)
    store.fail("before delete", StorageAccessError("no permission to delete"))
    sweep = sweep_storage(frail, actor="sweep")
    assert sweep.troubles == {old[0]: "no permission to delete"}
    assert [one.key for one in sweep.deleted] == old[1:]


def test_what_is_needed_again_is_not_told_as_deleted(workspace: Workspace, old: list[str]) -> None:
    frail, store = with_frail_store(workspace)
    # While the first is deleted, the orphan goes by another hand.
    store.meanwhile("before delete", lambda: workspace.folders.store.delete(old[-1]))
    sweep = sweep_storage(frail, actor="sweep")
    assert ([one.key for one in sweep.deleted], sweep.troubles) == (old[:-1], {})
    assert [one.reason for one in sweep.found] == [Reason.RETENTION] * 5 + [Reason.ORPHAN]
