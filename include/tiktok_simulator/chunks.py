"""Pure rules of the chunked upload: the plan that init announces, and each PUT that follows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tiktok_simulator.exceptions import ApiError, UploadError

Megabyte = Literal["both", "decimal", "binary"]

# Smallest and largest chunk: 5 and 64 MB (D-MTG). Whether "MB" is 10^6 or 2^20 bytes it does not
# say; by default only what both readings allow passes.
CHUNK_BYTES: Mapping[Megabyte, tuple[int, int]] = {
    "both": (5 * 2**20, 64 * 10**6),
    "decimal": (5 * 10**6, 64 * 10**6),
    "binary": (5 * 2**20, 64 * 2**20),
}
MAX_VIDEO_BYTES = 4 * 2**30  # D-MTG: "up to 4 GB"; unlike a chunk, the larger reading
MEDIA_TYPES = ("video/mp4", "video/quicktime", "video/webm")  # D-MTG, PUT header Content-Type

_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)


@dataclass(frozen=True)
class UploadPlan:
    """How a client announced that the bytes will come (D-MTG, "Chunking").

    :param video_size: bytes of the whole video.
    :param chunk_size: bytes of every chunk but the last, which takes the remainder as well.
    :param total_chunk_count: ``floor(video_size / chunk_size)``.
    """

    video_size: int
    chunk_size: int
    total_chunk_count: int

    def is_last(self, index: int) -> bool:
        """Say whether the chunk with this 0-based index completes the video."""
        return index == self.total_chunk_count - 1


@dataclass(frozen=True)
class ChunkSpan:
    """The bytes of one PUT: 0-based and inclusive, as in its Content-Range."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """Bytes in the span."""
        return self.last - self.first + 1


def check_chunk_plan(plan: UploadPlan, megabyte: Megabyte = "both") -> None:
    """Refuse a plan that TikTok would refuse.

    D-MTG, "Chunking": count is the floor; 5 MB to 64 MB a chunk; the last one takes the remainder;
    videos under 5 MB in one chunk. Its two other limits hold by arithmetic: the last chunk is
    shorter than two, so below 128 MB, and 4 GiB make fewer than 1000 chunks. Observed: one chunk
    must be the whole video (https://github.com/DayMoonDevelopment/post-for-me/issues/327). Which
    message wins when both rules fail is unknown.
    """
    size, chunk, count = plan.video_size, plan.chunk_size, plan.total_chunk_count
    if not 0 < size <= MAX_VIDEO_BYTES:
        raise ApiError("invalid_params", "The video size is invalid")
    smallest, largest = CHUNK_BYTES[megabyte]
    if not min(size, smallest) <= chunk <= min(size, largest):
        raise ApiError("invalid_params", "The chunk size is invalid")
    if count != size // chunk:
        raise ApiError("invalid_params", "The total chunk count is invalid")
    if count == 1 and chunk != size:
        raise ApiError("invalid_params", "The chunk size is invalid")


def check_chunk_headers(
    headers: Mapping[str, str],
    plan: UploadPlan,
    received: int,
    *,
    accepts_duplicates: bool = False,
    long_body_status: int = 400,
) -> ChunkSpan:
    """Return the span of a PUT (D-MTG, "Upload a video": headers and response codes).

    :param headers: by lower-case name.
    :param received: bytes stored so far; a chunk boundary, since a chunk is stored whole or not.
    :param accepts_duplicates: whether a chunk that is stored already passes, too.
    :param long_body_status: of a Content-Length beyond the range.
    :raises UploadError: 400 for headers that are malformed or break the plan, 416 for a range
        that does not begin where the stored bytes end.
    """
    if headers.get("content-type", "").lower() not in MEDIA_TYPES:
        raise UploadError(400, f"Content-Type must be one of {', '.join(MEDIA_TYPES)}")
    span = _parse_content_range(headers.get("content-range", ""), plan.video_size)
    _check_content_length(headers, span, long_body_status)
    index, rest = divmod(span.first, plan.chunk_size)
    is_duplicate = accepts_duplicates and span.first < received and rest == 0
    if span.first != received and not is_duplicate:
        raise UploadError(416, f"the range begins at {span.first}, stored are {received} bytes")
    end = plan.video_size if plan.is_last(index) else span.first + plan.chunk_size
    if span.last != end - 1:
        raise UploadError(400, f"this chunk must end at {end - 1}, not at {span.last}")
    return span


def _check_content_length(headers: Mapping[str, str], span: ChunkSpan, long_status: int) -> None:
    """Refuse a body of another length than its range (D-MTG: the size of this chunk)."""
    length = headers.get("content-length", "")
    if "transfer-encoding" not in headers and length == str(span.length):
        return
    is_longer = length.isascii() and length.isdecimal() and int(length) > span.length
    raise UploadError(
        long_status if is_longer else 400,
        f"Content-Length must be the {span.length} bytes of Content-Range",
    )


def _parse_content_range(value: str, video_size: int) -> ChunkSpan:
    """Return what a Content-Range names (D-MTG: ``bytes {FIRST}-{LAST}/{TOTAL}``)."""
    match = _CONTENT_RANGE.fullmatch(value)
    if match is None:
        raise UploadError(400, "Content-Range must read bytes {first}-{last}/{total}")
    first, last, total = (int(group) for group in match.groups())
    if total != video_size or not first <= last < total:
        raise UploadError(400, f"Content-Range must lie within the {video_size} bytes of init")
    return ChunkSpan(first, last)
