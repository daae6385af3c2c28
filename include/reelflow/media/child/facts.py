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
_DURATION_TAG: Final = re.compile(r"([0-9]{1,3}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)")
_LENGTH_TOLD: Final = "_STATISTICS_WRITING_APP"
_LAST_SAMPLES: Final = 2
_MATROSKA: Final = "matroska"
_MOV: Final = "mov"
# Enough to tell a rate by, and free: libav reads more of them for its own guesses.
_COUNTED_PACKETS: Final = 200
_FEWEST_COUNTED: Final = 8
_OUT_OF_ORDER: Final = 16  # so many frames before the last one read may still be to come
_ROUNDING: Final = Fraction(1, 100)
_LONGEST_FIRST_S: Final = Fraction(1, 8)  # a slow frame, and 48 ms that AAC puts before it
_PRECISION_S: Final = 0.001
# Of the side data of a stream PyAV tells only by this dump. No tag can imitate it: a line break in
# a tag's text is followed by spaces and a colon, and one in its name makes the dump worthless.
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
        "audio": _describe_audio(audio[0]) if audio else None,
        "creation_time": _text(tags.get("creation_time")),
        "brand": _text(tags.get("major_brand")),
        "samples_end_byte": _samples_end_byte(container),
        "video": None if video.stream is None else _describe_video(video),
    }


def _describe_audio(stream: Any) -> dict[str, Any]:
    context = stream.codec_context
    if context is None:  # libav has no decoder for it
        return {}
    return {
        "codec": _codec_name(stream),
        "channels": context.channels or None,
        "sample_rate_hz": context.sample_rate or None,
    }


def _describe_video(video: Video) -> dict[str, Any]:
    stream = video.stream
    moments_s = _first_moments_s(video)
    start_s = max(0.0, moments_s[0] if moments_s else video.stream_start_s)
    told = {
        "start_s": start_s,
        "duration_s": _picture_duration_s(video, start_s),
        "sample_aspect": None,
        "average_rate": _ratio(_average_rate(video, moments_s)),
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


def _first_moments_s(video: Video) -> list[float]:
    """Look at frames where libav only repeats what the header says: in Matroska.

    Not to the end of the file, which may be far: a rate that changes later is not seen.
    """
    if not video.container.format.name.startswith(_MATROSKA):
        return []
    moments_s = video.first_moments_s(_COUNTED_PACKETS)
    return moments_s[:-_OUT_OF_ORDER] if len(moments_s) == _COUNTED_PACKETS else moments_s


def _average_rate(video: Video, moments_s: list[float]) -> Fraction | None:
    told: Fraction | None = video.stream.average_rate
    if moments_s:
        counted = _counted_rate(moments_s)
        # Whole milliseconds make a true rate look a little off: the header is exact if it is right.
        is_right = counted is None or (told and abs(counted / told - 1) < _ROUNDING)
        return told if is_right else counted
    if video.container.format.name.startswith(_MOV) and not video.stream.frames:
        return _fragments_rate(video.stream) or told
    return told


def _counted_rate(moments_s: list[float]) -> Fraction | None:
    length_s = moments_s[-1] - moments_s[0] if len(moments_s) >= _FEWEST_COUNTED else 0
    if length_s <= 0:
        return None
    return Fraction(len(moments_s) - 1) / Fraction(length_s).limit_denominator(1000)


def _fragments_rate(stream: Any) -> Fraction | None:
    """Give the rate that all frames of a fragmented MP4 but the first keep to, if they do.

    That one lasts longer by what the encoder of the sound puts before it: the average of a short
    clip would be another one by up to a frame a second.
    """
    index, rate = stream.index_entries, stream.base_rate
    if len(index) < _FEWEST_COUNTED or not rate or not stream.time_base:
        return None
    first, second, last = (index[number].timestamp for number in (0, 1, len(index) - 1))
    expected_ticks = (len(index) - 2) / (rate * stream.time_base)
    is_kept = abs(last - second - expected_ticks) <= 1
    return rate if is_kept and (second - first) * stream.time_base < _LONGEST_FIRST_S else None


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
    """Give what libav prints of one stream, its own line first; nothing if a tag forges it."""
    av.logging.set_level(av.logging.INFO)
    try:
        lines: list[str] = container.dumps_format().splitlines()  # type: ignore[attr-defined]  # left out of its stubs
    finally:
        av.logging.set_level(None)
    starts = [number for number, line in enumerate(lines) if line.startswith("  Stream #0:")]
    if len(starts) != len(container.streams) or _has_odd_tag(stream):
        return [""]
    first, after, *_ = [*starts[stream.index :], len(lines)]
    return lines[first:after]


def _has_odd_tag(stream: Stream) -> bool:
    """Say whether anything that is printed as it is written contains what no name does."""
    names = [*stream.metadata, stream.metadata.get("language", "")]
    return not all(name.isprintable() for name in names)


def _duration_s(container: InputContainer) -> float | None:
    if container.duration and container.duration > 0:
        return container.duration / _MICROSECONDS
    lengths_s = [_stream_duration_s(stream) or 0.0 for stream in container.streams]
    return max(filter(None, lengths_s), default=None)


def _stream_duration_s(stream: Stream) -> float | None:
    if stream.duration and stream.duration > 0 and stream.time_base:
        return float(stream.duration * stream.time_base)
    return _tagged_s(stream)


def _tagged_s(stream: Stream) -> float | None:
    tag = _DURATION_TAG.fullmatch(stream.metadata.get("DURATION", ""))  # of Matroska
    return None if tag is None else int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])


def _picture_duration_s(video: Video, start_s: float) -> float | None:
    """Give how long the picture is shown: some containers tell only when it ends."""
    tagged_s = _tagged_s(video.stream)
    if tagged_s is not None and _LENGTH_TOLD in video.stream.metadata:
        return tagged_s  # mkvmerge writes how long the picture is, libav when it ends
    if tagged_s is not None:
        starts_s = start_s + max(0, video.container.start_time or 0) / _MICROSECONDS
        return round(tagged_s - starts_s, 6) if tagged_s > starts_s else None
    told_s = _stream_duration_s(video.stream)
    left_s = video.duration_s - start_s
    is_end = told_s is not None and start_s > 0 and told_s > left_s + _PRECISION_S
    return round(left_s, 6) if is_end and left_s > 0 else told_s


def _samples_end_byte(container: InputContainer) -> int | None:
    """Give where the last sample ends that the index tells of, of each stream's last ones."""
    ends = []
    for stream in container.streams:
        index = stream.index_entries
        last = [index[number] for number in range(max(0, len(index) - _LAST_SAMPLES), len(index))]
        ends += [entry.pos + entry.size for entry in last]
    return max(ends, default=None)


def _codec_name(stream: Any) -> str | None:
    context = stream.codec_context
    return None if context is None else _text(context.codec.canonical_name)


def _ratio(value: Fraction | None) -> str | None:
    return None if value is None else f"{value.numerator}/{value.denominator}"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)[:_MAX_TEXT_CHARS]
