"""Reading ffprobe's answer into facts. Only fields named here ever leave it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from reelflow.media.commands import probe_command
from reelflow.media.runner import ToolLimits, ToolResult, run_tool

_HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})
_VARIABLE_RATE_TOLERANCE = 0.01
_LARGEST_SAMPLE_ASPECT = 16
_MAX_TEXT_CHARS = 64
_LIMITS = ToolLimits(
    address_space_bytes=1024 * 1024 * 1024,  # it describes 4096x4096 video within half of that
    file_size_bytes=4 * 1024 * 1024,  # its JSON, of 64 streams at most
)


def probe(fd: int) -> dict[str, Any]:
    """Describe the open file with ffprobe.

    :return: the fields of `MediaFacts` that ffprobe knows, or only ``probe_error``
    :raises MediaToolError: ffprobe is missing or ran out of wall-clock time
    """
    result = run_tool(probe_command(fd), pass_fds=[fd], limits=_LIMITS)
    if result.return_code != 0:
        return {"probe_error": _refusal(result)}
    try:
        answer = json.loads(result.stdout.decode("utf-8", "replace"))
    except ValueError:
        return {"probe_error": "ffprobe's answer is not JSON"}
    return facts_from_answer(answer)


def facts_from_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Pick the facts out of ``ffprobe -show_format -show_streams`` JSON.

    Good files lack fields and bad ones lie, so every value is checked and may become None.
    """
    container, streams = answer.get("format", {}), answer.get("streams", [])
    audio_codecs = [s.get("codec_name") for s in streams if s.get("codec_type") == "audio"]
    tags = container.get("tags", {})
    return {
        "duration_s": _duration_s(container, streams),
        "bit_rate_bps": _whole(container.get("bit_rate")),
        "audio_codec": _text(audio_codecs[0]) if audio_codecs else None,
        "creation_time": _timestamp(tags.get("creation_time")),
        "container_brand": _text(tags.get("major_brand")),
        **_video_facts(next((s for s in streams if _is_video(s)), None)),
    }


def _is_video(stream: Mapping[str, Any]) -> bool:
    cover_art = stream.get("disposition", {}).get("attached_pic") == 1
    return stream.get("codec_type") == "video" and not cover_art


def _video_facts(stream: Mapping[str, Any] | None) -> dict[str, Any]:
    if stream is None:
        return {}
    width, height = _whole(stream.get("width")), _whole(stream.get("height"))
    rotation = _rotation_degrees(stream)
    aspect = _sample_aspect(stream.get("sample_aspect_ratio"))
    average = _rate(stream.get("avg_frame_rate"))
    nominal = _rate(stream.get("r_frame_rate"))
    transfer = stream.get("color_transfer")
    display = _display_size(width, height, aspect, rotation)
    return {
        "video_codec": _text(stream.get("codec_name")),
        "width": width,
        "height": height,
        "display_width": display[0],
        "display_height": display[1],
        "rotation_degrees": rotation,
        "sample_aspect_ratio": f"{aspect.numerator}:{aspect.denominator}",
        "average_frame_rate": average,
        "nominal_frame_rate": nominal,
        "variable_frame_rate": _differ(average, nominal),
        "hdr_transfer": transfer if transfer in _HDR_TRANSFERS else None,
    }


def _duration_s(container: Mapping[str, Any], streams: list[Mapping[str, Any]]) -> float | None:
    declared = _positive(container.get("duration"))
    if declared is not None:
        return declared
    return max(filter(None, (_positive(s.get("duration")) for s in streams)), default=None)


def _rotation_degrees(stream: Mapping[str, Any]) -> int:
    """Give the clockwise turn, 0 to 359.

    The display matrix counts counter-clockwise (-90 for a phone held upright); the older `rotate`
    tag counts clockwise. Singular matrices give huge numbers: those turn nothing.
    """
    for side_data in stream.get("side_data_list", []):
        if "rotation" in side_data:
            return _turn(side_data["rotation"], -1)
    return _turn(stream.get("tags", {}).get("rotate"), 1)


def _turn(degrees: Any, sign: int) -> int:
    try:
        turn = round(float(degrees))
    except (TypeError, ValueError, OverflowError):
        return 0
    return sign * turn % 360 if abs(turn) <= 360 else 0


def _sample_aspect(text: Any) -> Fraction:
    aspect = _ratio(str(text).replace(":", "/"))
    sane = aspect is not None and 1 / _LARGEST_SAMPLE_ASPECT <= aspect <= _LARGEST_SAMPLE_ASPECT
    return aspect if aspect is not None and sane else Fraction(1)


def _display_size(
    width: int | None, height: int | None, aspect: Fraction, rotation_degrees: int
) -> tuple[int | None, int | None]:
    if width is None or height is None:
        return None, None
    shown_width = round(width * aspect)
    return (height, shown_width) if rotation_degrees % 180 == 90 else (shown_width, height)


def _rate(text: Any) -> float | None:
    ratio = _ratio(text)
    return float(ratio) if ratio is not None and ratio > 0 else None


def _ratio(text: Any) -> Fraction | None:
    try:
        return Fraction(str(text))
    except (ValueError, ZeroDivisionError):
        return None


def _differ(average: float | None, nominal: float | None) -> bool:
    if average is None or nominal is None:
        return False
    return abs(average - nominal) > _VARIABLE_RATE_TOLERANCE * average


def _positive(text: Any) -> float | None:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _whole(text: Any) -> int | None:
    number = _positive(text)
    return None if number is None else int(number)


def _timestamp(text: Any) -> str | None:
    try:
        return datetime.fromisoformat(str(text)).isoformat()
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    """Keep short printable text only: tags are written by strangers."""
    kept = "".join(char for char in str(value or "") if char.isprintable()).strip()
    return kept[:_MAX_TEXT_CHARS] or None


def _refusal(result: ToolResult) -> str:
    limit = result.stopped_by_limit
    if limit is not None:
        return f"reading it takes more {limit} than allowed"
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    # "file:/proc/self/fd/5: Invalid data found": our name of the file helps nobody.
    last = lines[-1].rpartition("/proc/self/fd/")[2].lstrip("0123456789: ") if lines else ""
    return _text(last) or f"ffprobe ended with code {result.return_code}"
