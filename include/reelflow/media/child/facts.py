"""What libav says about an opened file, as plain JSON for the parent to check and read."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any, Final

import av.logging
from av.container import InputContainer
from av.stream import Stream

from reelflow.media.child.video import Video

_TRANSFERS: Final = {16: "smpte2084", 18: "arib-std-b67"}  # ITU-T H.273
_MICROSECONDS: Final = 1_000_000
_MAX_TEXT_CHARS: Final = 64
# Of the side data of a stream PyAV tells only by this dump, which no tag can imitate: a tag's name
# is filled up with spaces before its colon.
_DUMPED_ROTATION: Final = re.compile(r"^ +Display Matrix: rotation of (-?[0-9]+\.[0-9]+) degrees$")
_DUMPED_CODEC: Final = re.compile(r": Video: ([a-z0-9_]+)")
_DUMPED_SIZE: Final = re.compile(r", ([0-9]{1,6})x([0-9]{1,6})[ ,]")


def describe(video: Video) -> dict[str, Any]:
    """Describe the file: of its tags only brand and time, never where or by whom it was made."""
    container = video.container
    audio = [stream for stream in container.streams if stream.type == "audio"]
    tags = container.metadata
    return {
        "duration_s": _duration_s(container),
        "bit_rate_bps": container.bit_rate or None,
        "audio_codec": _codec_name(audio[0]) if audio else None,
        "creation_time": _text(tags.get("creation_time")),
        "brand": _text(tags.get("major_brand")),
        "video": None if video.stream is None else _describe_video(video),
    }


def _describe_video(video: Video) -> dict[str, Any]:
    stream = video.stream
    told = {
        "sample_aspect": None,
        "average_rate": _ratio(stream.average_rate),
        "nominal_rate": _ratio(stream.base_rate),
        "transfer": None,
        **_dumped(video),
    }
    context = stream.codec_context
    if context is not None:  # libav has a decoder for it
        told |= {
            "codec": _codec_name(stream),
            "width": context.width,
            "height": context.height,
            "sample_aspect": _ratio(stream.sample_aspect_ratio),
            "transfer": _TRANSFERS.get(context.color_trc),
        }
    return told


def _dumped(video: Video) -> dict[str, Any]:
    """Give what libav tells of a stream only by printing it."""
    lines = _dumped_lines(video.container, video.stream)
    codec, size = _DUMPED_CODEC.search(lines[0]), _DUMPED_SIZE.search(lines[0])
    rotations = [found[1] for line in lines if (found := _DUMPED_ROTATION.match(line))]
    return {
        "codec": codec[1] if codec and codec[1] != "none" else None,
        "width": int(size[1]) if size else None,
        "height": int(size[2]) if size else None,
        "rotation": float(rotations[0]) if rotations else float(video.tag_rotation),
    }


def _dumped_lines(container: InputContainer, stream: Stream) -> list[str]:
    """Give what libav prints of one stream, its own line first."""
    av.logging.set_level(av.logging.INFO)
    try:
        lines = container.dumps_format().splitlines()  # type: ignore[attr-defined]  # left out of its stubs
    finally:
        av.logging.set_level(None)
    starts = [number for number, line in enumerate(lines) if line.startswith("  Stream #0:")]
    first, after, *_ = [*starts[stream.index :], len(lines), len(lines)]
    return lines[first:after] or [""]


def _duration_s(container: InputContainer) -> float | None:
    if container.duration and container.duration > 0:
        return container.duration / _MICROSECONDS
    lengths = [
        float(stream.duration * stream.time_base)
        for stream in container.streams
        if stream.duration and stream.time_base
    ]
    return max(filter(lambda length: length > 0, lengths), default=None)


def _codec_name(stream: Any) -> str | None:
    context = stream.codec_context
    return None if context is None else _text(context.codec.canonical_name)


def _ratio(value: Fraction | None) -> str | None:
    return None if value is None else f"{value.numerator}/{value.denominator}"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)[:_MAX_TEXT_CHARS]
