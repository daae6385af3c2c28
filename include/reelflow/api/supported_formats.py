"""What is taken in, told to programs: as the policies in force say, and in no other words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, Field

from reelflow.domain.content_types import CONTENT_TYPES, extensions_of
from reelflow.domain.media_policy import TIKTOK, MediaPolicy
from reelflow.domain.photos import INTAKE_PHOTOS, MAX_PHOTOS
from reelflow.domain.upload_session import (
    CHUNK_DEFAULT_BYTES,
    CHUNK_MAX_BYTES,
    CHUNK_MIN_BYTES,
    SESSION_LIFETIME,
)
from reelflow.services.intake.house_policy import FORM_MAX_BYTES
from reelflow.services.uploads.whole.files import BATCH_IMAGES, WHOLE_FILE_BYTES


class Format(BaseModel):
    """A container, and what files of it are called."""

    container: str
    content_type: str
    extensions: list[str] = Field(description="one of which a name must have")


class VideoFormats(BaseModel):
    """Videos that can be published; null is no limit."""

    formats: list[Format]
    max_size_bytes: int
    min_duration_s: float | None
    max_duration_s: float | None
    min_side_px: int | None
    max_side_px: int
    min_frame_rate: float | None
    max_frame_rate: float | None
    video_codecs: list[str] | None


class ImageFormats(BaseModel):
    """Images that photo posts are made of; TikTok gets a copy of those that it does not take."""

    formats: list[Format]
    max_size_bytes: int
    min_side_px: int
    max_long_side_px: int
    max_short_side_px: int
    max_images_per_post: int
    max_images_per_batch: int


class UploadSizes(BaseModel):
    """How files may come."""

    simple_max_size_bytes: int = Field(description="of a file in one request")
    direct_max_size_bytes: int = Field(
        description="of a video that a browser puts into S3 itself, whatever `video` says"
    )
    min_chunk_size_bytes: int
    max_chunk_size_bytes: int
    default_chunk_size_bytes: int
    session_lifetime_s: int = Field(description="from the last chunk, or of a form for S3")


class SupportedFormats(BaseModel):
    """What is taken in."""

    video: VideoFormats
    image: ImageFormats
    upload: UploadSizes


_UPLOAD: Final = UploadSizes(
    simple_max_size_bytes=WHOLE_FILE_BYTES - 1,
    direct_max_size_bytes=FORM_MAX_BYTES,
    min_chunk_size_bytes=CHUNK_MIN_BYTES,
    max_chunk_size_bytes=CHUNK_MAX_BYTES,
    default_chunk_size_bytes=CHUNK_DEFAULT_BYTES,
    session_lifetime_s=int(SESSION_LIFETIME.total_seconds()),
)


def supported_formats(house: MediaPolicy) -> SupportedFormats:
    """Return what is taken in.

    :param house: what a video must keep, beside what TikTok asks for
    """
    return SupportedFormats(video=_videos(house.narrowed_by(TIKTOK)), image=_IMAGES, upload=_UPLOAD)


def _formats(containers: Iterable[str]) -> list[Format]:
    return [
        Format(
            container=container,
            content_type=CONTENT_TYPES[container],
            extensions=list(extensions_of(container)),
        )
        for container in containers
    ]


def _videos(policy: MediaPolicy) -> VideoFormats:
    return VideoFormats(
        formats=_formats(policy.containers),
        max_size_bytes=policy.max_size_bytes,
        min_duration_s=policy.min_duration_s,
        max_duration_s=policy.max_duration_s,
        min_side_px=policy.min_side_px,
        max_side_px=policy.max_side_px,
        min_frame_rate=policy.min_frame_rate,
        max_frame_rate=policy.max_frame_rate,
        video_codecs=None if policy.video_codecs is None else list(policy.video_codecs),
    )


_IMAGES: Final = ImageFormats(
    formats=_formats(INTAKE_PHOTOS.containers),
    max_size_bytes=INTAKE_PHOTOS.max_size_bytes,
    min_side_px=INTAKE_PHOTOS.min_side_px,
    max_long_side_px=INTAKE_PHOTOS.max_long_side_px,
    max_short_side_px=INTAKE_PHOTOS.max_short_side_px,
    max_images_per_post=MAX_PHOTOS,
    max_images_per_batch=BATCH_IMAGES,
)
