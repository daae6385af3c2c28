"""The PUT of one chunk, without a network: its headers, and what TikTok's answer means."""

from __future__ import annotations

import re
from typing import Final

from reelflow.domain.chunks import ByteRange
from reelflow.exceptions import (
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
)
from reelflow.tiktok.answers import Answer, retry_after_s
from reelflow.tiktok.models import ChunkAnswer, ChunkOutcome
from reelflow.tiktok.refusal_table import MINUTE_S

CONTENT_TYPES: Final = frozenset({"video/mp4", "video/quicktime", "video/webm"})
"""Content types a chunk may have (content-posting-api-media-transfer-guide)."""

_PROGRESS = re.compile(r"bytes 0-([0-9]{1,15})/([0-9]{1,15})", re.ASCII)


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
