"""Values that go to and come from TikTok's Content Posting API."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True)
class CreatorInfo:
    """What an account may post right now; never cached across posts.

    Fields as TikTok names them (content-posting-api-reference-query-creator-info, read 2026-09-11).
    The options do not show whether the app is audited: an unaudited app sees
    ``PUBLIC_TO_EVERYONE`` and is refused at init
    (observed, https://github.com/AceDataCloud/Skills/pull/800).

    :param creator_avatar_url: picture; the URL lives two hours
    :param creator_username: handle
    :param creator_nickname: display name
    :param privacy_level_options: privacy levels this account may choose from
    :param comment_disabled: the creator lets nobody comment
    :param duet_disabled: the creator allows no duets
    :param stitch_disabled: the creator allows no stitches
    :param max_video_post_duration_sec: longest video of this creator in seconds
    """

    creator_avatar_url: str
    creator_username: str
    creator_nickname: str
    privacy_level_options: tuple[str, ...]
    comment_disabled: bool
    duet_disabled: bool
    stitch_disabled: bool
    max_video_post_duration_sec: int


@dataclass(frozen=True)
class VideoPost:
    """What a person chose for a direct post (content-posting-api-reference-direct-post).

    :param title: caption, at most 2200 UTF-16 units; empty for none
    :param privacy_level: one of the account's current ``privacy_level_options``; has no default,
        because TikTok forbids one (content-sharing-guidelines)
    :param video_cover_timestamp_ms: frame that becomes the cover; None for the first one
    :param brand_content_toggle: paid partnership with a third party
    :param brand_organic_toggle: promotes the creator's own business
    :param is_aigc: made with AI
    """

    title: str
    privacy_level: str
    disable_duet: bool = False
    disable_stitch: bool = False
    disable_comment: bool = False
    video_cover_timestamp_ms: int | None = None
    brand_content_toggle: bool = False
    brand_organic_toggle: bool = False
    is_aigc: bool = False


class PostMode(Enum):
    """Where a photo post goes (content-posting-api-reference-photo-post); TikTok's own words."""

    DIRECT_POST = "DIRECT_POST"
    """It is published."""

    MEDIA_UPLOAD = "MEDIA_UPLOAD"
    """It goes to the creator's inbox, and opens in the app's editor."""


@dataclass(frozen=True)
class PhotoPost:
    """What a person chose for a photo post (content-posting-api-reference-photo-post).

    For ``MEDIA_UPLOAD`` only ``title`` and ``description`` count; the rest is chosen in the app.

    :param title: at most 90 UTF-16 units; empty for none
    :param description: the caption, at most 4000 UTF-16 units; empty for none
    :param privacy_level: as in :class:`VideoPost`; None is for ``MEDIA_UPLOAD`` alone
    :param auto_add_music: let TikTok choose music
    :param brand_content_toggle: paid partnership with a third party
    :param brand_organic_toggle: promotes the creator's own business
    :param is_aigc: made with AI
    """

    title: str
    description: str
    privacy_level: str | None
    disable_comment: bool = False
    auto_add_music: bool = False
    brand_content_toggle: bool = False
    brand_organic_toggle: bool = False
    is_aigc: bool = False


@dataclass(frozen=True)
class PullFromUrl:
    """A video that TikTok fetches itself (content-posting-api-media-transfer-guide).

    :param video_url: https, answering without redirects for an hour, on a domain verified for the
        app; its query may be a signature, so it is never shown
    """

    video_url: str = field(repr=False)


@dataclass(frozen=True)
class InitAnswer:
    """A publish task that TikTok opened.

    :param publish_id: the task's id, at most 64 characters
    :param upload_url: where the bytes go; its query is a credential, so it is never shown. None if
        TikTok pulls
    """

    publish_id: str
    upload_url: str | None = field(repr=False)


@dataclass(frozen=True)
class PublishStatus:
    """Where a publish task stands (content-posting-api-reference-get-video-status).

    :param status: ``PROCESSING_UPLOAD``, ``PROCESSING_DOWNLOAD``, ``SEND_TO_USER_INBOX``,
        ``PUBLISH_COMPLETE``, ``FAILED``, or a word that TikTok added since
    :param fail_reason: why it failed; explained by :func:`reelflow.tiktok.refusals.explain_failure`
    :param post_ids: ids of the public posts, 19 digits each; empty for private posts and until
        moderation ends
    :param uploaded_bytes: how many bytes TikTok holds; None if it did not say, which proves nothing
    :param downloaded_bytes: the same for a pulled video
    """

    status: str
    fail_reason: str | None = None
    post_ids: tuple[str, ...] = ()
    uploaded_bytes: int | None = None
    downloaded_bytes: int | None = None


class ChunkOutcome(Enum):
    """What TikTok said to a chunk; the value is the HTTP status.

    Source: content-posting-api-media-transfer-guide, read 2026-09-11.
    """

    COMPLETE = 201
    """All bytes are there; TikTok processes the video."""

    STORED = 206
    """The chunk is stored and more are expected."""

    EXPIRED = 403
    """The upload URL's hour has passed; only a new init helps."""

    GONE = 404
    """No upload task has this URL; only a new init helps."""

    MISMATCH = 416
    """The range is not what TikTok expects next: go on where it stands."""


@dataclass(frozen=True)
class ChunkAnswer:
    """TikTok's answer to one chunk.

    :param outcome: what it said
    :param held_bytes: how many bytes TikTok may hold by its progress header: none if it sent no
        usable header, else the possible readings in ascending order, because the documentation
        leaves open whether the number is a count or the index of the last byte
    """

    outcome: ChunkOutcome
    held_bytes: tuple[int, ...] = ()
