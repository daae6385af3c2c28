"""What TikTok allows and how long we wait for it: every number with its source."""

from __future__ import annotations

from dataclasses import dataclass

from reelflow.domain import chunks


@dataclass(frozen=True)
class TikTokLimits:
    """Limits of TikTok's Content Posting API, and the client's own patience.

    Sources are page slugs of developers.tiktok.com, read 2026-09-11. What has none is our choice.

    :param whole_max_bytes: largest video sent as one chunk
        (content-posting-api-media-transfer-guide: 64 MB, in the smaller reading of MB)
    :param chunk_bytes: chunk size of a larger video (same page: 5 to 64 MB; half the maximum,
        so that floor(size / chunk) is never 1)
    :param max_video_bytes: largest video (same page: 4 GB, in the larger reading; TikTok itself
        refuses what it finds too large)
    :param url_lifetime_s: how long an upload URL lives after init (same page: one hour)
    :param connect_timeout_s: longest wait for a connection
    :param read_timeout_s: longest silence before a JSON call's answer
    :param put_timeout_s: longest time to hand one chunk over; 64 MB in it need 71 kB/s
    :param put_stall_timeout_s: longest time without any progress while a chunk is sent
    :param put_answer_timeout_s: longest silence between a chunk's last byte and its answer
    :param chunk_attempts: how often the same chunk is sent
        (content-posting-api-media-transfer-guide: resend the same chunk after a 5xx)
    :param first_chunk_retry_s: pause before a chunk is sent again, doubled after each further try
    """

    whole_max_bytes: int = chunks.WHOLE_MAX_BYTES
    chunk_bytes: int = chunks.CHUNK_BYTES
    max_video_bytes: int = chunks.VIDEO_MAX_BYTES
    url_lifetime_s: int = 3600
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    put_timeout_s: float = 900.0
    put_stall_timeout_s: float = 60.0
    put_answer_timeout_s: float = 120.0
    chunk_attempts: int = 3
    first_chunk_retry_s: float = 2.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"{name} is {value}: every limit must be above 0")

    @property
    def longest_put_s(self) -> float:
        """Seconds after which no PUT of ours can still be on its way."""
        return (
            self.connect_timeout_s
            + self.put_timeout_s
            + self.put_stall_timeout_s
            + self.put_answer_timeout_s
        )

    def plan(self, size_bytes: int) -> chunks.ChunkPlan:
        """Cut a video of ``size_bytes`` by these limits; see :func:`~.chunks.plan_chunks`."""
        return chunks.plan_chunks(
            size_bytes,
            whole_max_bytes=self.whole_max_bytes,
            chunk_bytes=self.chunk_bytes,
            max_bytes=self.max_video_bytes,
        )
