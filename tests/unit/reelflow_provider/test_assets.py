"""The assets: what wakes the DAG, and what it announces."""

from __future__ import annotations

import pytest
from airflow.sdk import Asset

from reelflow_provider.assets import (
    APPROVALS,
    COLLECTED_METRICS,
    MEDIA,
    POST_METRICS,
    PUBLISHED,
    PUBLISHED_POSTS,
    UPLOADS,
)
from reelflow_provider.triggers.approvals import ApprovalsTrigger
from reelflow_provider.triggers.media import MediaTrigger
from reelflow_provider.triggers.uploads import UploadsTrigger


@pytest.mark.parametrize(
    ("asset", "trigger"),
    [(UPLOADS, UploadsTrigger), (MEDIA, MediaTrigger), (APPROVALS, ApprovalsTrigger)],
)
def test_work_is_watched_by_one_trigger_only(asset: Asset, trigger: type) -> None:
    (watcher,) = asset.watchers
    assert type(watcher.trigger) is trigger


def test_the_assets_have_schemes_of_ours_so_no_other_provider_rewrites_them() -> None:
    assert (UPLOADS.name, UPLOADS.uri) == ("reelflow_uploads", "x-reelflow://uploads")
    assert (MEDIA.name, MEDIA.uri) == ("reelflow_media", "x-reelflow://media")
    assert (APPROVALS.name, APPROVALS.uri) == ("reelflow_approvals", "x-reelflow://approvals")
    assert (PUBLISHED.name, PUBLISHED.uri) == ("reelflow_published", "x-reelflow://published")
    metrics = (POST_METRICS.name, POST_METRICS.uri)
    assert metrics == ("reelflow_post_metrics", "x-reelflow://post_metrics")


def test_posts_are_announced_through_an_alias_so_that_nothing_published_emits_nothing() -> None:
    assert not isinstance(PUBLISHED_POSTS, Asset)
    assert PUBLISHED_POSTS.name == "reelflow_published_posts"
    assert PUBLISHED.watchers == []


def test_counts_are_announced_through_an_alias_so_that_none_collected_emits_nothing() -> None:
    assert not isinstance(COLLECTED_METRICS, Asset)
    assert COLLECTED_METRICS.name == "reelflow_collected_metrics"
    assert POST_METRICS.watchers == []
