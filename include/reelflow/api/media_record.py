"""The record of one file, as every route that tells of a file gives it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from reelflow.api.advice import for_callers
from reelflow.api.intake import API_PATH
from reelflow.domain.content_types import CONTENT_TYPES, MediaType, container_named, media_type_of
from reelflow.domain.media_facts import MediaFacts
from reelflow.ledger.models import Media

#: Where files lie in an application that is mounted nowhere.
_MEDIA_PATH: Final = f"{API_PATH}/media"

MediaState = Literal["awaiting_checks", "ready", "rejected", "deleted"]


class BrokenRule(BaseModel):
    """A rule that a file breaks: what was found, what is allowed, and what to do."""

    rule: str
    value: str
    limit: str
    fix: str


class MediaMetadata(BaseModel):
    """What was measured of a file; what it does not have is null."""

    container: str
    duration_s: float | None
    width: int | None
    height: int | None
    display_width: int | None = Field(description="as a player shows it")
    display_height: int | None
    rotation_degrees: int
    video_codec: str | None
    audio_codec: str | None
    audio_channels: int | None
    audio_sample_rate_hz: int | None
    average_frame_rate: float | None
    variable_frame_rate: bool
    bit_rate_bps: int | None
    hdr_transfer: str | None
    faststart: bool | None


class MediaLinks(BaseModel):
    """Where more is told of a file; 404 ``not_made_yet`` until its checks have come so far."""

    self: str
    thumbnail: str
    metadata: str


class MediaRecord(BaseModel):
    """One file: what it is, where it stands, and which posts publish it."""

    media_id: str
    file_name: str
    media_type: MediaType | None
    content_type: str = Field(description="by its content, never by what was declared")
    size_bytes: int
    sha256: str | None
    state: MediaState
    violations: list[BrokenRule]
    metadata: MediaMetadata | None
    links: MediaLinks
    posts: list[int] = Field(description="ids of the posts that publish it")
    created_at: datetime


def media_record(
    media: Media, *, post_ids: Sequence[int], media_path: str = _MEDIA_PATH
) -> MediaRecord:
    """Return the record of a file.

    :param post_ids: of the posts that publish it, as far as its reader may know of them
    :param media_path: where files lie for whoever asks: ``intake.link(request, "/media")``
    """
    metadata = media_metadata(media)
    # Before it is measured, by its key: what came over the API was given an extension by its bytes.
    container = metadata.container if metadata else container_named(media.source_path) or ""
    return MediaRecord(
        media_id=media.id,
        file_name=media.file_name,
        media_type=media_type_of(container),
        content_type=CONTENT_TYPES.get(container, "application/octet-stream"),
        size_bytes=media.size_bytes,
        sha256=media.sha256,
        state=_state(media),
        violations=[
            BrokenRule(**{**broken, "fix": for_callers(broken["fix"])})
            for broken in media.violations or ()
        ],
        metadata=metadata,
        links=_links(f"{media_path}/{media.id}"),
        posts=list(post_ids),
        created_at=media.created_at,
    )


def media_metadata(media: Media) -> MediaMetadata | None:
    """Return what was measured of a file; None until that was done."""
    if media.facts is None:
        return None
    measured: dict[str, Any] = MediaFacts.from_dict(media.facts).as_dict()
    return MediaMetadata(**{name: measured[name] for name in MediaMetadata.model_fields})


def _links(own: str) -> MediaLinks:
    return MediaLinks(self=own, thumbnail=f"{own}/thumbnail", metadata=f"{own}/metadata")


def _state(media: Media) -> MediaState:
    if media.deleted_at is not None:
        return "deleted"
    if media.violations:
        return "rejected"
    return "awaiting_checks" if media.facts is None else "ready"
