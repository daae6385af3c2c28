"""What is measured about one media file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VIDEO_EXTENSIONS: Mapping[str, str] = {
    "mp4": ".mp4",
    "mov": ".mov",
    "webm": ".webm",
    "mkv": ".mkv",
    "avi": ".avi",
}
"""The file name extension of each video container."""

IMAGE_CONTAINERS = frozenset({"jpeg", "png", "webp"})


def file_extension(file_name: str) -> str:
    """Return a name's extension in small letters, with its dot; empty when it has none."""
    base_name = file_name.replace("\\", "/").rpartition("/")[2]
    stem, dot, suffix = base_name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


@dataclass(frozen=True)
class MediaFacts:
    """Everything measured about one file. Tags outside this list (GPS, names) never get in.

    :param container: ``mp4|mov|webm|mkv|avi|jpeg|png|webp`` or ``other:<what>``, by the bytes
    :param kind: ``video``, ``image`` or ``other``
    :param data_end_byte: offset where the data of a cut or damaged file ends; None when whole
    :param declared_size_bytes: size the container claims, when the file is shorter than that
    :param faststart: index before the media data (MP4 and MOV only)
    :param duration_s: of the longest stream
    :param video_start_s: when the picture starts, where that is after the start of the file
    :param video_duration_s: of the picture, where the container tells it
    :param width: coded pixels, before rotation and sample aspect
    :param display_width: pixels as a player shows them
    :param rotation_degrees: clockwise turn a player applies: 90 for a phone held upright
    :param sample_aspect_ratio: ``"num:den"``
    :param audio_codec: of the first audio stream, as are its channels and sample rate
    :param average_frame_rate: frames over duration, in frames a second
    :param nominal_frame_rate: libav's guess at the base rate; wild for variable rates
    :param bit_rate_bps: of the whole file
    :param hdr_transfer: ``smpte2084`` (PQ) or ``arib-std-b67`` (HLG) for HDR; otherwise None
    :param creation_time: ISO 8601, as the container claims
    :param container_brand: ``major_brand`` of MP4 and MOV
    :param probe_error: why libav refused the video, or Pillow the image; the fields it would fill
        are then None, but for the size of an image whose pixels are damaged
    :param is_measured: False where no libav works: of a video only its container is known then
    :param image_extras: what a JPEG or WebP holds beside a plain picture (EXIF, comments, ...), and
        what viewers may see wrong; None where nobody looked
    """

    container: str
    kind: str
    size_bytes: int
    data_end_byte: int | None = None
    declared_size_bytes: int | None = None
    faststart: bool | None = None
    duration_s: float | None = None
    video_start_s: float | None = None
    video_duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    display_width: int | None = None
    display_height: int | None = None
    rotation_degrees: int = 0
    sample_aspect_ratio: str = "1:1"
    video_codec: str | None = None
    audio_codec: str | None = None
    audio_channels: int | None = None
    audio_sample_rate_hz: int | None = None
    average_frame_rate: float | None = None
    nominal_frame_rate: float | None = None
    variable_frame_rate: bool = False
    bit_rate_bps: int | None = None
    hdr_transfer: str | None = None
    creation_time: str | None = None
    container_brand: str | None = None
    probe_error: str | None = None
    is_measured: bool = True
    image_extras: tuple[str, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give all facts as a JSON-safe mapping; `from_dict` is its inverse."""
        extras = None if self.image_extras is None else list(self.image_extras)
        return {**dataclasses.asdict(self), "image_extras": extras}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MediaFacts:
        """Read stored facts; fields that this version does not know are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        extras = values.get("image_extras")
        return cls(**{**values, "image_extras": None if extras is None else tuple(extras)})
