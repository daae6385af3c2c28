"""The assets: declared once here, because a second declaration without watchers removes them."""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias, AssetWatcher

from reelflow_provider.triggers.approvals import ApprovalsTrigger
from reelflow_provider.triggers.media import MediaTrigger
from reelflow_provider.triggers.uploads import UploadsTrigger

#: There is work to publish. Events only wake the DAG up; the ledger says what the work is.
UPLOADS = Asset(
    name="reelflow_uploads",
    uri="x-reelflow://uploads",
    watchers=[AssetWatcher(name="reelflow_uploads", trigger=UploadsTrigger())],
)

#: There are media to prepare ahead of time. As of uploads, events only wake the DAG up.
MEDIA = Asset(
    name="reelflow_media",
    uri="x-reelflow://media",
    watchers=[AssetWatcher(name="reelflow_media", trigger=MediaTrigger())],
)

#: There are posts that a person is to be asked about. As of uploads, events only wake the DAG up.
APPROVALS = Asset(
    name="reelflow_approvals",
    uri="x-reelflow://approvals",
    watchers=[AssetWatcher(name="reelflow_approvals", trigger=ApprovalsTrigger())],
)

#: Posts that were published, one event each; keyed by ``post_id``, at least once.
PUBLISHED = Asset(name="reelflow_published", uri="x-reelflow://published")

#: Tasks announce through the alias, so that a run that publishes nothing emits nothing.
PUBLISHED_POSTS = AssetAlias(name="reelflow_published_posts")

#: What TikTok counts of published posts is in the ledger; an event says of which day, and of how
#: many posts and accounts.
POST_METRICS = Asset(name="reelflow_post_metrics", uri="x-reelflow://post_metrics")

#: Through the alias, as of posts: a run that collects nothing emits nothing.
COLLECTED_METRICS = AssetAlias(name="reelflow_collected_metrics")

#: Which alias stands for which asset.
ALIASES = ((PUBLISHED_POSTS, PUBLISHED), (COLLECTED_METRICS, POST_METRICS))
