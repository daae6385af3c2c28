"""The Display API: what a creator's profile and public videos look like (D-UI, D-VO)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from tiktok_simulator.accounts import Account
from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.publication import Publication

MAX_VIDEOS = 20  # D-VO: of one page, and ids of one query
DEFAULT_VIDEOS = 10  # not documented in what we read; clients that care send max_count
MAX_TEXT_CHARACTERS = 150  # D-VO: title and video_description
COVER_LIFETIME_S = 6 * 3600  # D-VO: cover_image_url

# The scope that each field of a user needs (D-UI, D-SC); profile_web_link is what clients ask for.
USER_FIELDS: Mapping[str, str] = {
    "open_id": "user.info.basic",
    "union_id": "user.info.basic",
    "avatar_url": "user.info.basic",
    "avatar_url_100": "user.info.basic",
    "avatar_large_url": "user.info.basic",
    "display_name": "user.info.basic",
    "bio_description": "user.info.profile",
    "profile_deep_link": "user.info.profile",
    "profile_web_link": "user.info.profile",
    "is_verified": "user.info.profile",
    "username": "user.info.profile",
    "follower_count": "user.info.stats",
    "following_count": "user.info.stats",
    "likes_count": "user.info.stats",
    "video_count": "user.info.stats",
}
COUNTS_MAX = {  # D-VO: int32, but for views
    "view_count": 2**63 - 1,
    "like_count": 2**31 - 1,
    "comment_count": 2**31 - 1,
    "share_count": 2**31 - 1,
}
VIDEO_FIELDS = (
    "id",
    "create_time",
    "cover_image_url",
    "share_url",
    "video_description",
    "duration",
    "height",
    "width",
    "title",
    "embed_html",
    "embed_link",
    *COUNTS_MAX,
    "is_aigc",
)


@dataclass(frozen=True)
class Video:
    """One public video.

    :param sorted_at_ms: its place in the list and in cursors: Unix milliseconds, no two alike.
    """

    post_id: int
    publication: Publication
    sorted_at_ms: int

    @property
    def create_time(self) -> int:
        """Unix second, as the id tells it."""
        return self.post_id >> 32


def public_videos(account: Account, publications: Iterable[Publication]) -> list[Video]:
    """Return a creator's videos that everyone may see, oldest first.

    A video is here once it is posted, whether or not status/fetch ever tells its id: integrators
    who never got one found it here (https://github.com/trypostit/trypost/pull/363). Photos are not.
    """
    posts = sorted(
        (post_id >> 32, index, post_id, publication)
        for index, publication in enumerate(publications)
        if publication.open_id == account.open_id and _is_public_video(publication)
        for post_id in publication.post_ids
    )
    videos: list[Video] = []
    for second, _, post_id, publication in posts:
        after = videos[-1].sorted_at_ms + 1 if videos else 0
        videos.append(Video(post_id, publication, max(second * 1000, after)))
    return videos


def parse_fields(text: str | None, known: Collection[str]) -> list[str]:
    """Return the names in a ``fields`` parameter (D-UI, D-VO: required, comma-separated)."""
    names = (text or "").split(",")
    if not text:
        _refuse("The fields are required")
    if unknown := [one for one in names if one not in known]:
        _refuse(f"Fields {unknown} are invalid")
    return names


def user_object(
    account: Account, names: Iterable[str], videos: Collection[Video], now_s: float
) -> dict[str, Any]:
    """Return the asked-for fields of a user.

    :raises ApiError: ``scope_permission_missed`` for a field whose scope the token lacks.
    """
    missing = sorted({USER_FIELDS[one] for one in names} - set(account.scopes))
    if missing:
        raise ApiError("scope_permission_missed", f"The token lacks {', '.join(missing)}")
    link = f"https://www.tiktok.com/@{account.username}"
    user = {
        "open_id": account.open_id,
        "union_id": account.union_id,
        "avatar_url": account.avatar_url(now_s),
        "avatar_url_100": account.avatar_url(now_s),
        "avatar_large_url": account.avatar_url(now_s),
        "display_name": account.nickname,
        "bio_description": f"{account.nickname}, a simulated creator",
        "profile_deep_link": link,
        "profile_web_link": link,
        "is_verified": False,
        "username": account.username,
        "follower_count": 1200,
        "following_count": 80,
        "likes_count": sum(_counts(one, now_s)["like_count"] for one in videos),
        "video_count": len(videos),
    }
    return {name: user[name] for name in names}


def list_videos(body: Mapping[str, Any], videos: list[Video]) -> tuple[list[Video], dict[str, Any]]:
    """Return one page of videos, newest first, with its ``cursor`` and ``has_more`` (D-VO)."""
    _check_known(body, {"cursor", "max_count"})
    cursor = body.get("cursor", 0)  # 0, as many clients send at first: from the newest on
    max_count = body.get("max_count", DEFAULT_VIDEOS)
    if type(cursor) is not int or not 0 <= cursor < 2**63:
        _refuse("The cursor is invalid")
    if type(max_count) is not int or not 1 <= max_count <= MAX_VIDEOS:
        _refuse(f"The max_count must be from 1 to {MAX_VIDEOS}")
    older = [one for one in reversed(videos) if cursor == 0 or one.sorted_at_ms < cursor]
    page = older[:max_count]
    end = page[-1].sorted_at_ms if page else cursor
    return page, {"cursor": end, "has_more": len(older) > len(page)}


def query_videos(body: Mapping[str, Any], videos: Iterable[Video]) -> list[Video]:
    """Return the videos asked for by id; those that are not the creator's are absent (D-VO)."""
    _check_known(body, {"filters"})
    filters = body.get("filters")
    if not isinstance(filters, dict):
        _refuse("The filters are required")
    _check_known(filters, {"video_ids"})
    ids = filters.get("video_ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_VIDEOS:
        _refuse(f"The video_ids must be a list of 1 to {MAX_VIDEOS}")
    if not all(isinstance(one, str) for one in ids):
        _refuse("The video_ids must be strings")
    return [one for one in videos if str(one.post_id) in ids]


def video_object(
    video: Video, account: Account, names: Iterable[str], now_s: float
) -> dict[str, Any]:
    """Return the asked-for fields of a video; its id is a string here (D-VO)."""
    post_id, post_info = str(video.post_id), video.publication.post_info
    text = post_info.get("title", "")[:MAX_TEXT_CHARACTERS]
    expires = int(now_s) + COVER_LIFETIME_S
    embed = f"https://www.tiktok.com/player/v1/{post_id}"
    fields = {
        "id": post_id,
        "create_time": video.create_time,
        "cover_image_url": f"https://p16-sign.tiktokcdn.example/{post_id}.jpeg?x-expires={expires}",
        "share_url": f"https://www.tiktok.com/@{account.username}/video/{post_id}",
        "video_description": text,
        "duration": 15,  # nothing looks into the media: these three are always the same
        "height": 1920,
        "width": 1080,
        "title": text,
        "embed_html": f'<iframe src="{embed}"></iframe>',
        "embed_link": embed,
        "is_aigc": bool(post_info.get("is_aigc", False)),
        **_counts(video, now_s),
    }
    return {name: fields[name] for name in names}


def _counts(video: Video, now_s: float) -> dict[str, int]:
    """Return what a test said, and for the rest counts that grow with the age of the post."""
    minutes = max(0, int(now_s) - video.create_time) // 60
    return {
        "view_count": 3 * minutes,
        "like_count": minutes // 4,
        "comment_count": minutes // 60,
        "share_count": minutes // 120,
        **video.publication.counts,
    }


def _is_public_video(publication: Publication) -> bool:
    is_posted = publication.stage == "published" and publication.is_public
    return is_posted and publication.media == "video"


def _check_known(body: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(body.keys() - known):
        _refuse(f"Unknown fields {unknown}")


def _refuse(message: str) -> NoReturn:
    raise ApiError("invalid_params", message)
