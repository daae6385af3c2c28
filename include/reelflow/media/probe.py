"""Reading the child's answer into facts. Only fields named here ever leave it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

from reelflow.domain.printable import printable

_HDR_TRANSFERS: Final = frozenset({"smpte2084", "arib-std-b67"})
_VARIABLE_RATE_TOLERANCE: Final = 0.01
_LARGEST_SAMPLE_ASPECT: Final = 16
_MAX_TEXT_CHARS: Final = 64
_MAX_SIDE_PX: Final = 1 << 20
_MAX_NUMBER: Final = 2**63
_RATIO: Final = re.compile(r"[0-9]{1,12}/[0-9]{1,12}")


def facts_from_answer(answer: Any) -> dict[str, Any]:
    """Pick the fields of `MediaFacts` out of what the child tells.

    Good files lack fields and bad ones lie, so every value is checked and may become None.
    """
    told: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    return {
        "duration_s": _positive(told.get("duration_s")),
        "bit_rate_bps": _whole(told.get("bit_rate_bps")),
        "creation_time": _timestamp(told.get("creation_time")),
        "container_brand": _text(told.get("brand")),
        **_audio_facts(told.get("audio")),
        **_video_facts(told.get("video")),
    }


def samples_end_byte(answer: Any) -> int | None:
    """Give where the media data must reach at least, by the file's own index."""
    return _whole(answer.get("samples_end_byte")) if isinstance(answer, dict) else None


def _audio_facts(stream: Any) -> dict[str, Any]:
    if not isinstance(stream, dict):
        return {}
    return {
        "audio_codec": _text(stream.get("codec")),
        "audio_channels": _whole(stream.get("channels")),
        "audio_sample_rate_hz": _whole(stream.get("sample_rate_hz")),
    }


def _video_facts(stream: Any) -> dict[str, Any]:
    if not isinstance(stream, dict):
        return {}
    width, height = _side(stream.get("width")), _side(stream.get("height"))
    rotation = _clockwise_degrees(stream.get("rotation"))
    aspect = _sample_aspect(stream.get("sample_aspect"))
    average = _rate(stream.get("average_rate"))
    nominal = _rate(stream.get("nominal_rate"))
    transfer = stream.get("transfer")
    display = _display_size(width, height, aspect, rotation)
    return {
        "video_codec": _text(stream.get("codec")),
        "video_start_s": _positive(stream.get("start_s")),
        "video_duration_s": _positive(stream.get("duration_s")),
        "width": width,
        "height": height,
        "display_width": display[0],
        "display_height": display[1],
        "rotation_degrees": rotation,
        "sample_aspect_ratio": f"{aspect.numerator}:{aspect.denominator}",
        "average_frame_rate": average,
        "nominal_frame_rate": nominal,
        "variable_frame_rate": _differ(average, nominal),
        "hdr_transfer": transfer if _text(transfer) in _HDR_TRANSFERS else None,
    }


def _clockwise_degrees(value: Any) -> int:
    """Give the clockwise turn, 0 to 359; the display matrix counts counter-clockwise.

    A phone held upright writes -90. Singular matrices give huge numbers: those turn nothing.
    """
    number = _number(value)
    return -round(number) % 360 if number is not None and abs(number) <= 360 else 0


def _sample_aspect(text: Any) -> Fraction:
    aspect = _ratio(text)
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
    if not isinstance(text, str) or not _RATIO.fullmatch(text):
        return None
    try:
        return Fraction(text)
    except ZeroDivisionError:
        return None


def _differ(average: float | None, nominal: float | None) -> bool:
    if average is None or nominal is None:
        return False
    return abs(average - nominal) > _VARIABLE_RATE_TOLERANCE * average


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < _MAX_NUMBER else None  # which NaN is not


def _positive(value: Any) -> float | None:
    number = _number(value)
    return float(number) if number is not None and number > 0 else None


def _whole(value: Any) -> int | None:
    number = _positive(value)
    return None if number is None else int(number) or None


def _side(value: Any) -> int | None:
    number = _whole(value)
    return number if number is not None and number <= _MAX_SIDE_PX else None


def _timestamp(text: Any) -> str | None:
    try:
        return datetime.fromisoformat(text).isoformat() if isinstance(text, str) else None
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    """Keep short printable text only: tags are written by strangers."""
    if not isinstance(value, str):
        return None
    return printable(value, _MAX_TEXT_CHARS) or None
