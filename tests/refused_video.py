"""A video that only its container keeps from being taken."""

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.media_policy import INTAKE, TIKTOK

BOTH = INTAKE.narrowed_by(TIKTOK)
MKV = MediaFacts(
    container="mkv",
    kind="video",
    size_bytes=1000,
    duration_s=10.0,
    width=1280,
    height=720,
    display_width=1280,
    display_height=720,
    video_codec="h264",
    audio_codec="aac",
    average_frame_rate=30.0,
)
