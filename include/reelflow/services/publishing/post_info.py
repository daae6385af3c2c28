"""A post's fields as TikTok's init calls take them."""

from __future__ import annotations

from reelflow.ledger.models import Post
from reelflow.tiktok.models import PhotoPost, VideoPost


def video_post(post: Post) -> VideoPost:
    """Return what a direct post of a video says of itself."""
    return VideoPost(
        title=post.caption,
        privacy_level=post.privacy_level or "",
        disable_duet=post.disable_duet,
        disable_stitch=post.disable_stitch,
        disable_comment=post.disable_comment,
        video_cover_timestamp_ms=post.cover_timestamp_ms,
        brand_content_toggle=post.brand_content_toggle,
        brand_organic_toggle=post.brand_organic_toggle,
        is_aigc=post.is_aigc,
    )


def photo_post(post: Post) -> PhotoPost:
    """Return what a photo post says of itself."""
    return PhotoPost(
        title=post.title or "",
        description=post.caption,
        privacy_level=post.privacy_level,
        disable_comment=post.disable_comment,
        auto_add_music=post.auto_add_music,
        brand_content_toggle=post.brand_content_toggle,
        brand_organic_toggle=post.brand_organic_toggle,
        is_aigc=post.is_aigc,
    )
