"""TikTok's Content Posting API without a network: what to send, and what an answer means.

Each call is a pair: ``prepare_x`` gives the :class:`Request`, ``parse_x`` turns the
:class:`~reelflow.tiktok.answers.Answer` into a value or raises. An answer is a success only if its
``error.code`` is ``ok``; the HTTP status alone proves nothing, since refusals come with 200 too
(content-posting-api-reference-query-creator-info, read 2026-09-11).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reelflow.domain.chunks import ByteRange, ChunkPlan
from reelflow.exceptions import (
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
)
from reelflow.tiktok.answers import (
    Answer,
    count_of,
    malformed,
    retry_after_s,
    success_data,
    text_of,
)
from reelflow.tiktok.models import (
    ChunkAnswer,
    ChunkOutcome,
    CreatorInfo,
    InitAnswer,
    PublishStatus,
    VideoPost,
)
from reelflow.tiktok.refusals import MINUTE_S, printable

CREATOR_INFO_PATH = "/v2/post/publish/creator_info/query/"
VIDEO_INIT_PATH = "/v2/post/publish/video/init/"
DRAFT_INIT_PATH = "/v2/post/publish/inbox/video/init/"
STATUS_PATH = "/v2/post/publish/status/fetch/"

CONTENT_TYPES = frozenset({"video/mp4", "video/quicktime", "video/webm"})
"""Content types a chunk may have (content-posting-api-media-transfer-guide)."""

_TOKEN = re.compile(r"[!-~]{1,4096}", re.ASCII)  # what can stand in a header without splitting it
_PUBLISH_ID = re.compile(r"[!-~]{1,64}", re.ASCII)
_PROGRESS = re.compile(r"bytes 0-([0-9]{1,15})/([0-9]{1,15})", re.ASCII)


@dataclass(frozen=True)
class Request:
    """One POST to the JSON host.

    :param path: path on the host, with the trailing slash of the documentation
    :param headers: all headers to send; they hold the access token, so they are never shown
    :param body: JSON text, or empty
    """

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = b""


def prepare_creator_info(access_token: str) -> Request:
    """Ask what the account may post now. The call has no body."""
    return Request(CREATOR_INFO_PATH, _json_headers(access_token))


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


def prepare_video_init(access_token: str, post: VideoPost, plan: ChunkPlan) -> Request:
    """Open a direct post of an uploaded video (content-posting-api-reference-direct-post)."""
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
    body = {"post_info": post_info, "source_info": _source_info(plan)}
    return Request(VIDEO_INIT_PATH, _json_headers(access_token), _json(body))


def prepare_draft_init(access_token: str, plan: ChunkPlan) -> Request:
    """Open a draft in the creator's inbox, which takes no ``post_info``.

    Source: content-posting-api-reference-upload-video, read 2026-09-11.
    """
    body = {"source_info": _source_info(plan)}
    return Request(DRAFT_INIT_PATH, _json_headers(access_token), _json(body))


def parse_init(answer: Answer) -> InitAnswer:
    """Return the opened publish task of either init call, or raise.

    The upload URL is not judged here: see :func:`reelflow.tiktok.hosts.check_upload_url`.
    """
    data = success_data(answer, "init")
    publish_id, upload_url = data.get("publish_id"), data.get("upload_url")
    if not (isinstance(publish_id, str) and _PUBLISH_ID.fullmatch(publish_id)):
        raise malformed("init", answer, "publish_id is not 1 to 64 printable characters")
    if not (isinstance(upload_url, str) and upload_url):
        raise malformed("init", answer, "upload_url is missing")
    return InitAnswer(publish_id, upload_url)


def prepare_status(access_token: str, publish_id: str) -> Request:
    """Ask where a publish task stands."""
    return Request(STATUS_PATH, _json_headers(access_token), _json({"publish_id": publish_id}))


def parse_status(answer: Answer) -> PublishStatus:
    """Return where the publish task stands, or raise.

    Fields without a value are absent; the ids' misspelt name is TikTok's. Python reads their 19
    digits exactly, where a parser with doubles would lose the last ones
    (observed, https://github.com/gitroomhq/postiz-app/pull/1984).
    """
    data = success_data(answer, "status/fetch")
    status = data.get("status")
    if not (isinstance(status, str) and status):
        raise malformed("status/fetch", answer, "status is missing")
    return PublishStatus(
        status=printable(status, 64),
        fail_reason=printable(text_of(data, "fail_reason"), 64) or None,
        post_ids=_post_ids(data.get("publicaly_available_post_id")),
        uploaded_bytes=count_of(data.get("uploaded_bytes")),
        downloaded_bytes=count_of(data.get("downloaded_bytes")),
    )


def prepare_chunk(byte_range: ByteRange, content_type: str) -> dict[str, str]:
    """Return the headers of a chunk's PUT.

    ``Authorization`` is not among them: the URL itself is the credential
    (content-posting-api-media-transfer-guide, read 2026-09-11).

    :raises ValueError: if TikTok takes no video of this ``content_type``
    """
    if content_type not in CONTENT_TYPES:
        raise ValueError(f"{content_type!r} is not one of {', '.join(sorted(CONTENT_TYPES))}")
    return {
        "Content-Type": content_type,
        "Content-Length": str(byte_range.length),
        "Content-Range": byte_range.content_range,
        "Accept-Encoding": "identity",
    }


def parse_chunk(answer: Answer, byte_range: ByteRange) -> ChunkAnswer:
    """Return what TikTok said to the chunk ``byte_range``, or raise.

    :raises TikTokRejectedError: if it refused the chunk as malformed, or answered beside the
        documentation with a 3xx or 4xx
    :raises TikTokRateLimitedError: 429
    :raises TikTokUnavailableError: 5xx and everything that leaves open what became of the chunk
    """
    outcomes = {outcome.value: outcome for outcome in ChunkOutcome}
    if answer.status in outcomes:
        return ChunkAnswer(outcomes[answer.status], _held_bytes(answer, byte_range))
    shown = f"{byte_range.content_range} with HTTP {answer.status}"
    if answer.status == 429:
        raise TikTokRateLimitedError(
            f"TikTok answered {shown}: too many chunks, wait.",
            retry_after_s=retry_after_s(answer) or MINUTE_S,
        )
    if 300 <= answer.status < 500 and answer.status != 408:
        raise TikTokRejectedError(
            f"TikTok refused {shown}: the range, its length or the URL is not what it expects."
            " Start the upload anew.",
            code="chunk_refused",
            http_status=answer.status,
        )
    raise TikTokUnavailableError(
        f"TikTok answered {shown}: the chunk may or may not be stored. Ask for the status, then"
        " send the chunk again.",
        http_status=answer.status,
    )


def _held_bytes(answer: Answer, byte_range: ByteRange) -> tuple[int, ...]:
    """Read the progress header, whose number may be a count or the index of the last byte."""
    match = _PROGRESS.fullmatch(answer.headers.get("content-range", "").strip())
    if match is None or int(match[2]) != byte_range.total:
        return ()
    number = int(match[1])
    return tuple(held for held in (number, number + 1) if held <= byte_range.total)


def _json_headers(access_token: str) -> dict[str, str]:
    """Return the headers of a JSON call; a token that would split the header is refused."""
    if not _TOKEN.fullmatch(access_token):
        raise TikTokAuthError(
            "The stored access token is empty or has characters that no token has:"
            " reconnect the account."
        )
    return {
        "Authorization": f"Bearer {access_token}",
        "Content-Type": "application/json; charset=UTF-8",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }


def _source_info(plan: ChunkPlan) -> dict[str, Any]:
    return {
        "source": "FILE_UPLOAD",
        "video_size": plan.size_bytes,
        "chunk_size": plan.chunk_size_bytes,
        "total_chunk_count": plan.total_chunks,
    }


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _post_ids(value: object) -> tuple[str, ...]:
    """Return the ids of an absent, empty, listed or single value as strings."""
    items = value if isinstance(value, list) else [value]
    texts = [item if isinstance(item, str) else str(count_of(item)) for item in items]
    return tuple(text for text in texts if re.fullmatch(r"[0-9]{1,20}", text, re.ASCII))
