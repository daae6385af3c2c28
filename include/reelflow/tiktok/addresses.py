"""Where a public post is found in a browser."""

from __future__ import annotations

from urllib.parse import quote


def post_url(username: str | None, tiktok_post_id: str | None, *, is_photo: bool) -> str | None:
    """Return the address of a post, or None while its id or the account's handle is not known.

    As TikTok's own share links are formed (observed; ``share_url`` of tiktok-api-v2-video-object).

    :param username: the handle, without ``@``
    """
    if not username or not tiktok_post_id:
        return None
    kind = "photo" if is_photo else "video"
    handle, post_id = quote(username, safe=""), quote(tiktok_post_id, safe="")
    return f"https://www.tiktok.com/@{handle}/{kind}/{post_id}"
