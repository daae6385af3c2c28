"""The sweep of a store, which is a folder or a bucket: it finds and deletes the same in both."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Media
from reelflow.services.storage_sweep.sweep import sweep_storage
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import Folders
from reelflow.storage.s3 import S3Store
from tests.contract.storage.stores import S3Server, Store
from tests.factories import Clock, make_post

KEPT = ["inbox/acme/clip.mp4", f"direct-uploads/anna/{'a' * 32}.mp4", f"others/{'a' * 32}.mp4"]


@pytest.fixture
def clock() -> Clock:
    """A clock by which all that is put now has been there for ten days."""
    return Clock(datetime.now(UTC) + timedelta(days=10))


def post_in(
    store: Store, workspace: Workspace, account: Account, state: PostState, age_days: int
) -> str:
    """Make a post whose file lies in a store; return its key."""
    now = workspace.ledger.now()
    since = now - timedelta(days=age_days)
    post = make_post(workspace, account, state=state, state_since=since)
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media_id).created_at = now - timedelta(days=500)
    store.put(post.media.source_path, b"bytes", size_bytes=5)
    return post.media.source_path


def keys_in(store: Store) -> list[str]:
    return [info.key for info in store.list()]


def test_old_orphans_and_files_of_ended_posts_go_and_all_else_stays(
    store: Store, workspace: Workspace, account: Account
) -> None:
    kept = [*KEPT, post_in(store, workspace, account, PostState.MISSED, 400)]
    kept.append(post_in(store, workspace, account, PostState.FAILED, 29))
    gone = [post_in(store, workspace, account, PostState.FAILED, 31)]
    strays = [f"media/{uuid.uuid4().hex}.mp4" for _ in range(9)]  # more than a page of the listing
    strays += [f"thumbnails/{uuid.uuid4().hex}-1.jpg", "quarantine/acme/900/001.jpg"]
    for key in (*KEPT, *strays):
        store.put(key, b"bytes", size_bytes=5)
    there = replace(workspace, folders=Folders(lambda: store))

    dry = sweep_storage(there, actor="sweep", dry_run=True)
    assert sorted(keys_in(store)) == sorted([*kept, *gone, *strays])
    real = sweep_storage(there, actor="sweep")
    assert real.found == real.deleted == dry.found
    assert sorted(one.key for one in real.deleted) == sorted([*gone, *strays])
    assert sorted(keys_in(store)) == sorted(kept)


def test_what_the_bucket_refuses_to_delete_is_told_and_the_rest_goes(
    s3_server: S3Server, s3_store: S3Store, workspace: Workspace, account: Account
) -> None:
    post_in(s3_store, workspace, account, PostState.READY, 1)
    refused, other = (f"media/{digit * 32}.mp4" for digit in "ab")
    for key in (refused, other):
        s3_store.put(key, b"bytes", size_bytes=5)
    s3_server.fault("DELETE", "a" * 32, status=403, code="AccessDenied")
    there = replace(workspace, folders=Folders(lambda: s3_store))
    sweep = sweep_storage(there, actor="sweep")
    assert list(sweep.troubles) == [refused]
    assert [one.key for one in sweep.deleted] == [other]
    assert [one.key for one in sweep_storage(there, actor="sweep").deleted] == [refused]
