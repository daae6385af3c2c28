"""Limits on video files as data: the house profile and TikTok's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True)
class MediaPolicy:
    """Limits on a video file. None means that the profile has no such limit.

    :param containers: accepted values of `MediaFacts.container`
    :param video_codecs: accepted codecs, by libav's names
    :param min_side_px: of width and of height, as coded
    """

    name: str
    containers: tuple[str, ...]
    max_size_bytes: int
    max_side_px: int
    min_side_px: int | None = None
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    min_frame_rate: float | None = None
    max_frame_rate: float | None = None
    video_codecs: tuple[str, ...] | None = None

    def narrowed_by(self, other: MediaPolicy) -> MediaPolicy:
        """Give the policy that allows only what both allow."""
        codecs = [p.video_codecs for p in (self, other) if p.video_codecs is not None]
        return MediaPolicy(
            name=f"{self.name}+{other.name}",
            containers=tuple(c for c in self.containers if c in other.containers),
            max_size_bytes=min(self.max_size_bytes, other.max_size_bytes),
            max_side_px=min(self.max_side_px, other.max_side_px),
            min_side_px=_tighter(max, self.min_side_px, other.min_side_px),
            min_duration_s=_tighter(max, self.min_duration_s, other.min_duration_s),
            max_duration_s=_tighter(min, self.max_duration_s, other.max_duration_s),
            min_frame_rate=_tighter(max, self.min_frame_rate, other.min_frame_rate),
            max_frame_rate=_tighter(min, self.max_frame_rate, other.max_frame_rate),
            video_codecs=tuple(c for c in codecs[0] if c in codecs[-1]) if codecs else None,
        )


INTAKE = MediaPolicy(
    name="intake",
    containers=("mp4", "mov", "avi", "mkv", "webm"),
    max_size_bytes=500 * MIB,
    max_side_px=4096,
    min_duration_s=1,
    max_duration_s=180,
)
"""House rules: what Reelflow takes in at all."""

TIKTOK = MediaPolicy(
    name="tiktok",
    containers=("mp4", "mov", "webm"),
    max_size_bytes=4 * GIB,
    max_side_px=4096,
    min_side_px=360,
    min_frame_rate=23,
    max_frame_rate=60,
    video_codecs=("h264", "hevc", "vp8", "vp9"),
)
"""What TikTok accepts (content-posting-api-media-transfer-guide, read 2026-09-11). A creator's own
longest duration comes with creator_info and is checked where the post is made. Of audio
no codec, channels or sample rate are documented, nor that there must be any: so no rule asks."""


def _tighter(
    pick: Callable[[float, float], float], first: float | None, second: float | None
) -> Any:
    if first is None or second is None:
        return second if first is None else first
    return pick(first, second)
