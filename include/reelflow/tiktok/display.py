"""TikTok's Display API without a network: the account's profile, and its videos.

Sources: tiktok-api-v2-get-user-info, tiktok-api-v2-video-object, scopes-overview, read 2026-09-11.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from reelflow.tiktok.answers import Answer, count_of, ids_of, malformed, success_data, text_of
from reelflow.tiktok.display_models import UserInfo, Video, VideoPage
from reelflow.tiktok.request import Request, json_request

USER_INFO_PATH: Final = "/v2/user/info/"
VIDEO_LIST_PATH: Final = "/v2/video/list/"
VIDEO_QUERY_PATH: Final = "/v2/video/query/"

VIDEOS_MAX: Final = 20
"""Most videos of one page or query (tiktok-api-v2-video-object)."""

USER_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "user.info.basic": ("open_id", "union_id", "avatar_url", "display_name"),
        "user.info.profile": ("bio_description", "profile_deep_link", "is_verified", "username"),
        "user.info.stats": ("follower_count", "following_count", "likes_count", "video_count"),
    }
)
"""Fields of :class:`~reelflow.tiktok.display_models.UserInfo` by the scope that grants them."""

VIDEO_FIELDS: Final = (
    "id", "create_time", "title", "video_description", "share_url", "cover_image_url", "duration",
    "width", "height", "like_count", "comment_count", "share_count", "view_count", "is_aigc",
)  # fmt: skip
"""Fields that are asked for of each video."""

_YEAR_3000_S: Final = 32_503_680_000


def user_fields(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the profile's fields that ``scopes`` allow; any other has the whole call refused."""
    granted = set(scopes)
    return tuple(
        field for scope, fields in USER_FIELDS.items() if scope in granted for field in fields
    )


def prepare_user_info(access_token: str, fields: Sequence[str]) -> Request:
    """Ask for the account's profile.

    :param fields: see :func:`user_fields`
    :raises ValueError: if a field is not one of :data:`USER_FIELDS`
    """
    unknown = set(fields) - set(user_fields(USER_FIELDS))
    if unknown or not fields:
        raise ValueError(f"fields are {list(fields)}: choose from those of USER_FIELDS")
    path = f"{USER_INFO_PATH}?fields={','.join(fields)}"
    return json_request(path, access_token, method="GET")


def parse_user_info(answer: Answer) -> UserInfo:
    """Return the account's profile, or raise."""
    user = success_data(answer, "user/info").get("user")
    if not isinstance(user, dict):
        raise malformed("user/info", answer, "user is no object")
    texts: dict[str, Any] = {
        name: text_of(user, name) or None
        for name in (*USER_FIELDS["user.info.basic"], *USER_FIELDS["user.info.profile"])
        if name not in ("open_id", "is_verified")
    }
    counts: dict[str, Any] = {
        name: count_of(user.get(name)) for name in USER_FIELDS["user.info.stats"]
    }
    verified = user.get("is_verified")
    return UserInfo(
        open_id=text_of(user, "open_id"),
        is_verified=verified if isinstance(verified, bool) else None,
        **texts,
        **counts,
    )


def prepare_video_list(
    access_token: str, *, cursor: int | None = None, max_count: int = VIDEOS_MAX
) -> Request:
    """Ask for one page of the account's videos.

    :param cursor: the page before's; None for the newest videos
    :param max_count: videos of the page, 1 to 20
    """
    if not 1 <= max_count <= VIDEOS_MAX:
        raise ValueError(f"max_count is {max_count}: a page has 1 to {VIDEOS_MAX} videos")
    body = {"max_count": max_count} | ({} if cursor is None else {"cursor": cursor})
    return json_request(_with_fields(VIDEO_LIST_PATH), access_token, body)


def parse_video_list(answer: Answer) -> VideoPage:
    """Return one page of videos, or raise."""
    data = success_data(answer, "video/list")
    return VideoPage(
        videos=_videos(data, answer, "video/list"),
        cursor=count_of(data.get("cursor")),
        has_more=data.get("has_more") is True,
    )


def prepare_video_query(access_token: str, ids: Sequence[str]) -> Request:
    """Ask for videos by their ids, 1 to 20 of them."""
    if not 1 <= len(ids) <= VIDEOS_MAX or list(ids_of(list(ids))) != list(ids):
        raise ValueError(f"ids are {list(ids)}: ask for 1 to {VIDEOS_MAX} strings of digits")
    body = {"filters": {"video_ids": list(ids)}}
    return json_request(_with_fields(VIDEO_QUERY_PATH), access_token, body)


def parse_video_query(answer: Answer) -> tuple[Video, ...]:
    """Return the videos that exist, are public and are the account's; the others are absent."""
    return _videos(success_data(answer, "video/query"), answer, "video/query")


def _with_fields(path: str) -> str:
    return f"{path}?fields={','.join(VIDEO_FIELDS)}"


def _videos(data: Mapping[str, Any], answer: Answer, call: str) -> tuple[Video, ...]:
    items = data.get("videos") or []
    if not isinstance(items, list):
        raise malformed(call, answer, "videos is no list")
    return tuple(_video(item, answer, call) for item in items)


def _video(item: object, answer: Answer, call: str) -> Video:
    if not isinstance(item, dict):
        raise malformed(call, answer, "a video is no object")
    ids, created_s = ids_of(item.get("id")), count_of(item.get("create_time"))
    if len(ids) != 1 or created_s is None or created_s > _YEAR_3000_S:
        raise malformed(call, answer, "a video has no id or create_time")
    texts = ("title", "video_description", "share_url", "cover_image_url")
    counts = ("width", "height", "like_count", "comment_count", "share_count", "view_count")
    values: dict[str, Any] = {name: text_of(item, name) for name in texts}
    values |= {name: count_of(item.get(name)) for name in counts}
    return Video(
        id=ids[0],
        create_time=datetime.fromtimestamp(created_s, UTC),
        duration_s=count_of(item.get("duration")),
        is_aigc=item.get("is_aigc") is True,
        **values,
    )
