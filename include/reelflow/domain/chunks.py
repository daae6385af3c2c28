"""How a video is cut into the chunks that TikTok accepts: pure arithmetic.

TikTok's rules (content-posting-api-media-transfer-guide, read 2026-09-11): ``total_chunk_count`` is
``floor(video_size / chunk_size)``; a chunk has 5 to 64 MB, but the last one takes the remainder and
may have up to 128 MB; a video under 5 MB is one chunk; over 64 MB it has several; at most 1000.
Observed beyond that (https://github.com/DayMoonDevelopment/post-for-me/issues/327): one chunk is
only accepted if ``chunk_size`` is the video's size. TikTok does not say whether a MB is 10**6 or
2**20 bytes, so every number here satisfies both readings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reelflow.exceptions import TerminalError

WHOLE_MAX_BYTES = 64_000_000
"""Largest video sent as one chunk: 64 MB in the smaller reading."""

CHUNK_BYTES = 32_000_000
"""Size of a chunk of a larger video: half of the above, so that there are always two or more."""

CHUNK_MIN_BYTES = 5_242_880
"""Smallest chunk of a video that has several: 5 MB in the larger reading."""

VIDEO_MAX_BYTES = 4 * 1024**3
"""Largest video that a plan is made for: 4 GB in the larger reading."""

MAX_CHUNKS = 1000
"""Most chunks that TikTok takes."""


@dataclass(frozen=True, order=True)
class ByteRange:
    """Bytes ``first`` to ``last`` (both included, counted from 0) of a file of ``total`` bytes."""

    first: int
    last: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last < self.total:
            raise ValueError(f"bytes {self.first}-{self.last} do not lie in 0..{self.total - 1}")

    @property
    def length(self) -> int:
        """How many bytes the range has."""
        return self.last - self.first + 1

    @property
    def content_range(self) -> str:
        """The range as the value of a ``Content-Range`` header."""
        return f"bytes {self.first}-{self.last}/{self.total}"


@dataclass(frozen=True)
class ChunkPlan:
    """The cut of one video, as the init call declares it.

    :param size_bytes: size of the whole video
    :param chunk_size_bytes: size of every chunk but the last, which takes the remainder
    :param total_chunks: how many chunks there are
    :raises ValueError: if the three numbers do not fit each other
    """

    size_bytes: int
    chunk_size_bytes: int
    total_chunks: int

    def __post_init__(self) -> None:
        fits = (
            0 < self.chunk_size_bytes <= self.size_bytes
            and self.total_chunks == self.size_bytes // self.chunk_size_bytes
            and (self.total_chunks > 1 or self.chunk_size_bytes == self.size_bytes)
        )
        if not fits:
            raise ValueError(
                f"{self.total_chunks} chunks of {self.chunk_size_bytes} bytes are no cut"
                f" of {self.size_bytes} bytes"
            )

    def ranges(self) -> Iterator[ByteRange]:
        """Yield the chunks in the order in which they must be sent."""
        for index in range(self.total_chunks):
            yield self.range_at(index * self.chunk_size_bytes)

    def range_at(self, offset: int) -> ByteRange:
        """Return what to send next when TikTok holds the first ``offset`` bytes.

        On the boundary of a chunk that is the whole chunk, inside of one the rest of it.

        :raises ValueError: if ``offset`` is not in ``[0, size_bytes)``
        """
        if not 0 <= offset < self.size_bytes:
            raise ValueError(f"offset {offset} does not lie in 0..{self.size_bytes - 1}")
        index = min(offset // self.chunk_size_bytes, self.total_chunks - 1)
        is_final = index == self.total_chunks - 1
        end = self.size_bytes if is_final else (index + 1) * self.chunk_size_bytes
        return ByteRange(offset, end - 1, self.size_bytes)

    def is_last(self, byte_range: ByteRange) -> bool:
        """Whether ``byte_range`` holds the video's last byte: with it TikTok may publish.

        :raises ValueError: if it is a range of a file of another size
        """
        self._check_same_file(byte_range)
        return byte_range.last == self.size_bytes - 1

    def _check_same_file(self, byte_range: ByteRange) -> None:
        if byte_range.total != self.size_bytes:
            raise ValueError(
                f"a range of {byte_range.total} bytes is asked of a plan for {self.size_bytes}"
            )


def plan_chunks(
    size_bytes: int,
    *,
    whole_max_bytes: int = WHOLE_MAX_BYTES,
    chunk_bytes: int = CHUNK_BYTES,
    max_bytes: int = VIDEO_MAX_BYTES,
) -> ChunkPlan:
    """Return a cut that TikTok accepts under both readings of "MB".

    :param size_bytes: size of the video, 1 to ``max_bytes``
    :param whole_max_bytes: up to this size the video is one chunk; at most 64 000 000
    :param chunk_bytes: chunk size above it; at least 5 242 880, at most half of ``whole_max_bytes``
    :param max_bytes: largest video that is planned for
    :raises TerminalError: if no plan exists for a video of this size (code ``video_size``)
    :raises ValueError: if the limits themselves allow plans that TikTok refuses
    """
    _check_limits(whole_max_bytes, chunk_bytes, max_bytes)
    if size_bytes < 1:
        raise TerminalError(
            f"The video has {size_bytes} bytes, so there is nothing to upload: provide a video.",
            code="video_size",
            size_bytes=size_bytes,
        )
    if size_bytes > max_bytes:
        raise TerminalError(
            f"The video has {size_bytes} bytes but TikTok takes at most {max_bytes}:"
            " re-encode it at a lower bitrate or cut it.",
            code="video_size",
            size_bytes=size_bytes,
        )
    if size_bytes <= whole_max_bytes:
        return ChunkPlan(size_bytes, size_bytes, 1)
    return ChunkPlan(size_bytes, chunk_bytes, size_bytes // chunk_bytes)


def _check_limits(whole_max_bytes: int, chunk_bytes: int, max_bytes: int) -> None:
    """Refuse limits under which some size would get a plan that TikTok does not accept."""
    if whole_max_bytes > WHOLE_MAX_BYTES:
        raise ValueError(f"whole_max_bytes is {whole_max_bytes}, above {WHOLE_MAX_BYTES}")
    if not CHUNK_MIN_BYTES <= chunk_bytes <= whole_max_bytes // 2:
        raise ValueError(
            f"chunk_bytes is {chunk_bytes}, not in {CHUNK_MIN_BYTES}..{whole_max_bytes // 2}"
        )
    if max_bytes // chunk_bytes > MAX_CHUNKS:
        raise ValueError(f"{max_bytes} bytes in chunks of {chunk_bytes} are over {MAX_CHUNKS}")
