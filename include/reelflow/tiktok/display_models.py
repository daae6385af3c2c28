"""Values that come from TikTok's Display API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class UserInfo:
    """An account's profile. A field that was not asked for, or has no value, is None.

    :param open_id: the account, as this app sees it
    :param union_id: the account, as all apps of one developer see it
    :param avatar_url: picture; the URL lives for some hours
    :param username: handle
    """

    open_id: str
    union_id: str | None = None
    avatar_url: str | None = None
    display_name: str | None = None
    bio_description: str | None = None
    profile_deep_link: str | None = None
    is_verified: bool | None = None
    username: str | None = None
    follower_count: int | None = None
    following_count: int | None = None
    likes_count: int | None = None
    video_count: int | None = None


@dataclass(frozen=True)
class Video:
    """One public video of an account. Texts without a value are empty, numbers None.

    :param id: all digits of the post's id
    :param create_time: when it was published, UTC
    :param video_description: the caption's beginning, at most 150 characters
    :param share_url: its page
    :param cover_image_url: picture; the URL lives for six hours
    :param duration_s: length in seconds
    """

    id: str
    create_time: datetime
    title: str
    video_description: str
    share_url: str
    cover_image_url: str
    duration_s: int | None
    width: int | None
    height: int | None
    like_count: int | None
    comment_count: int | None
    share_count: int | None
    view_count: int | None
    is_aigc: bool


@dataclass(frozen=True)
class VideoPage:
    """A part of an account's videos, newest first.

    :param cursor: where the next page begins; None if TikTok did not say
    :param has_more: whether there is a next page
    """

    videos: tuple[Video, ...]
    cursor: int | None
    has_more: bool
