"""Lineage of a post's files, from the inbox to TikTok, for a plugin that reads it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from airflow.sdk import plugins_manager
from airflow.sdk.lineage import HookLineageReader, get_hook_lineage_collector

from reelflow.ledger.models import Account, Media, Post
from reelflow.services.settling.settle import apply_status
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from reelflow_provider.lineage import Files
from reelflow_provider.operators.media import GenerateThumbnailOperator, ValidateMediaOperator
from reelflow_provider.operators.posts import CleanUpFilesOperator, FindNewUploadsOperator
from reelflow_provider.operators.tiktok import TikTokUploadOperator
from tests import factories, media_files
from tests.unit.reelflow_provider.airflow_task import publish_id_of, run_task


@pytest.fixture
def collecting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], tuple[set[str], ...]]]:
    """Register a reader, as a plugin does; return what it reads, and forget that."""
    get_hook_lineage_collector.cache_clear()
    monkeypatch.setattr(
        plugins_manager, "get_hook_lineage_readers_plugins", lambda: [HookLineageReader]
    )

    def read() -> tuple[set[str], ...]:
        found = HookLineageReader().retrieve_hook_lineage()
        get_hook_lineage_collector.cache_clear()
        return (
            {str(one.asset.uri) for one in found.inputs},
            {str(one.asset.uri) for one in found.outputs},
        )

    yield read
    get_hook_lineage_collector.cache_clear()


def test_a_file_is_followed_from_the_inbox_to_tiktok(
    worker: Workspace,
    creator: Account,
    tmp_path: Path,
    collecting: Callable[[], tuple[set[str], ...]],
) -> None:
    factories.change_account(worker, creator.id, username="aurora.kitchen")
    factories.drop(worker, creator, "früh am tag.mp4", media_files.h264_mp4())
    (post_id,) = run_task(FindNewUploadsOperator).result
    post = factories.read_post(worker, post_id)
    source = f"file://{tmp_path}/{post.media.source_path}"

    run_task(ValidateMediaOperator, post_id=post_id)
    inbox = f"file://{tmp_path}/inbox/aurora/fr%C3%BCh%20am%20tag.mp4"
    assert collecting() == ({inbox}, {source})

    run_task(GenerateThumbnailOperator, post_id=post_id)
    thumbnail = factories.read_post(worker, post_id).media.thumbnail_path
    assert collecting() == ({source}, {f"file://{tmp_path}/{thumbnail}"})

    assert run_task(TikTokUploadOperator, post_id=post_id).state == "success"
    publish_id = publish_id_of(worker, post)
    assert collecting() == ({source}, {f"x-tiktok://aurora/{publish_id}"})

    status = PublishStatus("PUBLISH_COMPLETE", post_ids=("7300000000000000001",))
    apply_status(worker, post_id, publish_id, status, actor="tests")
    run_task(CleanUpFilesOperator, post_id=post_id)
    link = "https://www.tiktok.com/@aurora.kitchen/video/7300000000000000001"
    assert collecting() == ({source}, {link})


def test_what_nobody_reads_is_not_collected_nor_is_the_collector_made(
    worker: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plugins_manager.get_hook_lineage_readers_plugins() == []
    monkeypatch.setitem(sys.modules, "airflow.sdk.lineage", None)  # importing it would raise
    post = factories.make_post(worker, account, content=media_files.h264_mp4(), validated=False)
    assert run_task(ValidateMediaOperator, post_id=post.id).state == "success"


def test_what_a_user_uploaded_never_lay_in_the_inbox(worker: Workspace, account: Account) -> None:
    post = factories.make_post(worker, account, user_id="anna")
    assert Files(worker, post, [post.media], post.media, None).inbox == []


def test_a_post_that_tiktok_does_not_know_is_not_on_tiktok(
    worker: Workspace, account: Account
) -> None:
    post: Post = factories.make_post(worker, account)
    assert Files(worker, post, [post.media], post.media, None).on_tiktok == []


def test_lineage_is_no_reason_to_fail_a_task(
    worker: Workspace,
    account: Account,
    collecting: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    post = factories.make_post(worker, account, content=media_files.h264_mp4(), validated=False)
    with worker.ledger.write() as session:  # longer than any asset's address may be
        session.get_one(Media, post.media_id).inbox_path = "acme/" + "x" * 2000
    assert run_task(ValidateMediaOperator, post_id=post.id).state == "success"
    assert f"post {post.id}: no lineage of its files" in caplog.text
