"""Opening a photo post without a network; its answer is :func:`.protocol.parse_init`'s.

Source: content-posting-api-reference-photo-post, read 2026-09-11.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from reelflow.tiktok.hosts import check_pull_url
from reelflow.tiktok.models import PhotoPost, PostMode
from reelflow.tiktok.request import Request, json_request

PHOTO_INIT_PATH: Final = "/v2/post/publish/content/init/"

PHOTOS_MAX: Final = 35
"""Most images of one post."""


def prepare_photo_init(
    access_token: str,
    post: PhotoPost,
    image_urls: Sequence[str],
    *,
    cover_index: int,
    post_mode: PostMode,
) -> Request:
    """Open a photo post, whose images TikTok pulls.

    :param image_urls: 1 to 35, each as :attr:`reelflow.tiktok.models.PullFromUrl.video_url`
    :param cover_index: the image that is the cover, from 0
    :raises ValueError: if there are none or too many images, no such cover, or no privacy level
        for a direct post
    """
    if not 1 <= len(image_urls) <= PHOTOS_MAX:
        raise ValueError(f"{len(image_urls)} images: a photo post has 1 to {PHOTOS_MAX}")
    if not 0 <= cover_index < len(image_urls):
        raise ValueError(f"cover_index is {cover_index}, but the images are numbered from 0")
    body: dict[str, Any] = {
        "media_type": "PHOTO",
        "post_mode": post_mode.value,
        "post_info": _photo_info(post, post_mode),
        "source_info": {
            "source": "PULL_FROM_URL",
            "photo_images": [check_pull_url(url) for url in image_urls],
            "photo_cover_index": cover_index,
        },
    }
    if post_mode is PostMode.DIRECT_POST:
        body["is_aigc"] = post.is_aigc  # beside post_info, not in it
    return json_request(PHOTO_INIT_PATH, access_token, body)


def _photo_info(post: PhotoPost, post_mode: PostMode) -> dict[str, Any]:
    texts = {"title": post.title, "description": post.description}
    info: dict[str, Any] = {name: text for name, text in texts.items() if text}
    if post_mode is PostMode.MEDIA_UPLOAD:
        return info
    if not post.privacy_level:
        raise ValueError(
            "a photo post that is published needs a privacy level: TikTok forbids a default"
        )
    return info | {
        "privacy_level": post.privacy_level,
        "disable_comment": post.disable_comment,
        "auto_add_music": post.auto_add_music,
        "brand_content_toggle": post.brand_content_toggle,
        "brand_organic_toggle": post.brand_organic_toggle,
    }
