"""TikTok's Content Posting API without a network: what to send, and what an answer means.

Each call is a pair: ``prepare_x`` gives the :class:`~reelflow.tiktok.request.Request`, ``parse_x``
turns the :class:`~reelflow.tiktok.answers.Answer` into a value or raises. An answer is a success
only if its ``error.code`` is ``ok``; the HTTP status alone proves nothing, since refusals come with
200 too (content-posting-api-reference-query-creator-info, read 2026-09-11).
"""

from __future__ import annotations

import re
from typing import Any, Final

from reelflow.domain.chunks import ChunkPlan
from reelflow.tiktok.answers import (
    Answer,
    confirm_success,
    count_of,
    ids_of,
    malformed,
    success_data,
    text_of,
)
from reelflow.tiktok.hosts import check_pull_url
from reelflow.tiktok.models import (
    CreatorInfo,
    InitAnswer,
    PublishStatus,
    PullFromUrl,
    VideoPost,
)
from reelflow.tiktok.refusals import printable
from reelflow.tiktok.request import Request, json_request

CREATOR_INFO_PATH: Final = "/v2/post/publish/creator_info/query/"
VIDEO_INIT_PATH: Final = "/v2/post/publish/video/init/"
DRAFT_INIT_PATH: Final = "/v2/post/publish/inbox/video/init/"
STATUS_PATH: Final = "/v2/post/publish/status/fetch/"
CANCEL_PATH: Final = "/v2/post/publish/cancel/"

_PUBLISH_ID = re.compile(r"[!-~]{1,64}", re.ASCII)


def prepare_creator_info(access_token: str) -> Request:
    """Ask what the account may post now. The call has no body."""
    return json_request(CREATOR_INFO_PATH, access_token)


def parse_creator_info(answer: Answer) -> CreatorInfo:
    """Return the account's options, or raise why it cannot post now."""
    data = success_data(answer, "creator_info")
    options = data.get("privacy_level_options")
    longest_s = count_of(data.get("max_video_post_duration_sec"))
    if not (isinstance(options, list) and all(isinstance(item, str) for item in options)):
        raise malformed("creator_info", answer, "privacy_level_options is no list of strings")
    if longest_s is None:
        raise malformed("creator_info", answer, "max_video_post_duration_sec is no number")
    return CreatorInfo(
        creator_avatar_url=text_of(data, "creator_avatar_url"),
        creator_username=text_of(data, "creator_username"),
        creator_nickname=text_of(data, "creator_nickname"),
        privacy_level_options=tuple(options),
        comment_disabled=data.get("comment_disabled") is True,
        duet_disabled=data.get("duet_disabled") is True,
        stitch_disabled=data.get("stitch_disabled") is True,
        max_video_post_duration_sec=longest_s,
    )


def prepare_video_init(
    access_token: str, post: VideoPost, source: ChunkPlan | PullFromUrl
) -> Request:
    """Open a direct post of a video (content-posting-api-reference-direct-post)."""
    post_info: dict[str, Any] = {
        "privacy_level": post.privacy_level,
        "disable_duet": post.disable_duet,
        "disable_stitch": post.disable_stitch,
        "disable_comment": post.disable_comment,
        "brand_content_toggle": post.brand_content_toggle,
        "brand_organic_toggle": post.brand_organic_toggle,
        "is_aigc": post.is_aigc,
    }
    if post.title:
        post_info["title"] = post.title
    if post.video_cover_timestamp_ms is not None:
        post_info["video_cover_timestamp_ms"] = post.video_cover_timestamp_ms
    body = {"post_info": post_info, "source_info": _source_info(source)}
    return json_request(VIDEO_INIT_PATH, access_token, body)


def prepare_draft_init(access_token: str, source: ChunkPlan | PullFromUrl) -> Request:
    """Open a draft in the creator's inbox, which takes no ``post_info``.

    Source: content-posting-api-reference-upload-video, read 2026-09-11.
    """
    return json_request(DRAFT_INIT_PATH, access_token, {"source_info": _source_info(source)})


def parse_init(answer: Answer, *, is_upload: bool) -> InitAnswer:
    """Return the opened publish task of any init call, or raise.

    The upload URL is not judged here: see :func:`reelflow.tiktok.hosts.check_upload_url`.

    :param is_upload: whether we send the bytes, so that there must be an upload URL
    """
    data = success_data(answer, "init")
    publish_id, upload_url = data.get("publish_id"), data.get("upload_url")
    if not (isinstance(publish_id, str) and _PUBLISH_ID.fullmatch(publish_id)):
        raise malformed("init", answer, "publish_id is not 1 to 64 printable characters")
    if not is_upload:
        return InitAnswer(publish_id, None)
    if not (isinstance(upload_url, str) and upload_url):
        raise malformed("init", answer, "upload_url is missing")
    return InitAnswer(publish_id, upload_url)


def prepare_status(access_token: str, publish_id: str) -> Request:
    """Ask where a publish task stands."""
    return json_request(STATUS_PATH, access_token, {"publish_id": publish_id})


def parse_status(answer: Answer) -> PublishStatus:
    """Return where the publish task stands, or raise.

    Fields without a value are absent; the ids' misspelt name is TikTok's.
    """
    data = success_data(answer, "status/fetch")
    status = data.get("status")
    if not (isinstance(status, str) and status):
        raise malformed("status/fetch", answer, "status is missing")
    return PublishStatus(
        status=printable(status, 64),
        fail_reason=printable(text_of(data, "fail_reason"), 64) or None,
        post_ids=ids_of(data.get("publicaly_available_post_id")),
        uploaded_bytes=count_of(data.get("uploaded_bytes")),
        downloaded_bytes=count_of(data.get("downloaded_bytes")),
    )


def prepare_cancel(access_token: str, publish_id: str) -> Request:
    """Ask to stop a publish task: promised for pulls alone, while TikTok still downloads.

    Source: content-posting-api-media-transfer-guide, read 2026-09-11.
    """
    return json_request(CANCEL_PATH, access_token, {"publish_id": publish_id})


def parse_cancel(answer: Answer) -> None:
    """Accept that TikTok took the wish, or raise; only the status says whether it came true."""
    confirm_success(answer, "cancel")


def _source_info(source: ChunkPlan | PullFromUrl) -> dict[str, Any]:
    if isinstance(source, PullFromUrl):
        return {"source": "PULL_FROM_URL", "video_url": check_pull_url(source.video_url)}
    return {
        "source": "FILE_UPLOAD",
        "video_size": source.size_bytes,
        "chunk_size": source.chunk_size_bytes,
        "total_chunk_count": source.total_chunks,
    }
