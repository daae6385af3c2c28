"""What would make a refused video acceptable, where the ffmpeg program can do it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.media_policy import MediaPolicy

#: Videos that Reelflow does not take in nor measure, as `reelflow.media.sniff` names them.
_OTHER_VIDEOS = frozenset(
    {"other:flv", "other:mpeg-ts", "other:mpeg-ps", "other:mpeg-video", "other:asf"}
)
_MP4_VIDEO_CODECS = frozenset({"h264", "hevc"})
_MP4_AUDIO_CODECS = frozenset({"aac", "mp3", None})
_WEBM_VIDEO_CODECS = frozenset({"vp8", "vp9"})
_WEBM_AUDIO_CODECS = frozenset({"opus", "vorbis", None})

_AUDIO_BIT_RATE_BPS = 128_000
_SLOW_VIDEO_FRAME_RATE = 30
_MILLISECOND_CONTAINERS = frozenset({"mkv", "webm"})
# Matroska's times are whole milliseconds: copied, the 60 frames of a second may take 0.999 s, and
# the rate measures 60.05 in MP4.
_RATE_UNCERTAINTY = 0.1
_TRIM_MARGIN_S = 0.5  # the last audio frame may stick out past the wished end
_LONGEST_BUFFER_S = 2.0  # in which a bit rate may be above its average
_BUFFERED_SHARE = 0.05  # of the whole, at most: so much may a short clip be larger than planned
_LONGEST_NAME_BYTES = 255  # of Linux and macOS


@dataclass(frozen=True)
class Changes:
    """What must become another in a video; None stays as it is.

    :param scaled: width and height of the picture, both even
    :param padded: width and height with bars around it
    :param makes_even: cut a row or column off odd sides, which H.264 cannot have
    :param start_s: what to cut off before the picture
    :param duration_s: where to cut it off, counted from that start
    :param video_bit_rate_kbps: in thousands of bits a second, on average and at most
    :param video_buffer_kbits: how many thousands of bits may be above it at a time
    """

    scaled: tuple[int, int] | None = None
    padded: tuple[int, int] | None = None
    makes_even: bool = False
    frame_rate: float | None = None
    start_s: float | None = None
    duration_s: float | None = None
    video_bit_rate_kbps: int | None = None
    video_buffer_kbits: int | None = None


@dataclass(frozen=True)
class Repair:
    """One pass over a video that repairs everything at once.

    :param source_name: the user's name of the file, as hostile as names are
    :param target_name: the name of what is made; never the source's
    :param extension: of the target: ``.mp4`` or ``.webm``
    :param changes: None where the streams fit as they are, and are copied
    :param is_hevc: whether what is made needs the tag that players expect of HEVC
    :param hdr_transfer: as of `MediaFacts`, for a picture that must keep it, and ten bits: without
        either, high dynamic range looks washed out
    """

    source_name: str
    target_name: str
    extension: str
    changes: Changes | None
    is_hevc: bool = False
    hdr_transfer: str | None = None


RepairLine = Callable[[Repair], str]
"""Writes a repair as a command line for a person to run."""


def picture_is_short(facts: MediaFacts) -> bool:
    """Say whether most of the video would show no picture.

    Less than half of it is a mistake of export, such as a still with a song, or a title that
    waits for its sound to end; a sound that fades out after the picture is meant.
    """
    if facts.duration_s is None or facts.video_duration_s is None:
        return False
    return facts.video_duration_s < facts.duration_s / 2


def plan_repair(facts: MediaFacts, file_name: str, policy: MediaPolicy) -> Repair | None:
    """Say what repairs all that can be repaired, or None if the file is past that.

    A video of a type that is not measured is converted to one that can be.

    :param file_name: the user's name of the file
    """
    if facts.container in _OTHER_VIDEOS:
        even = Changes(makes_even=True)  # its sides are unknown
        return Repair(file_name, _target_name(file_name, ".mp4"), ".mp4", even)
    cut_or_refused = facts.data_end_byte is not None or facts.probe_error is not None
    if cut_or_refused or facts.kind != "video" or not facts.width or not facts.height:
        return None
    if _is_too_short(facts, policy):
        return None
    changes = _changes(facts, policy)
    extension = _copy_extension(facts, policy) if changes == Changes() else None
    target_name = _target_name(file_name, extension or ".mp4")
    if extension is None:
        hdr = facts.hdr_transfer
        return Repair(file_name, target_name, ".mp4", changes, hdr is not None, hdr)
    is_hevc = extension == ".mp4" and facts.video_codec == "hevc"
    return Repair(file_name, target_name, extension, None, is_hevc)


def _copy_extension(facts: MediaFacts, policy: MediaPolicy) -> str | None:
    """Give the extension of the container the streams fit as they are.

    AVI is always encoded again: its packets carry no timestamps that MP4 could keep.
    """
    allowed = policy.video_codecs is None or facts.video_codec in policy.video_codecs
    if facts.container == "avi" or not allowed:
        return None
    if facts.video_codec in _MP4_VIDEO_CODECS and facts.audio_codec in _MP4_AUDIO_CODECS:
        return ".mp4"
    if facts.video_codec in _WEBM_VIDEO_CODECS and facts.audio_codec in _WEBM_AUDIO_CODECS:
        return ".webm"
    return None


def _changes(facts: MediaFacts, policy: MediaPolicy) -> Changes:
    duration_s = _shorter_duration_s(facts, policy)
    kept_s = duration_s or facts.duration_s
    bit_rate_kbps = buffer_kbits = None
    if facts.size_bytes > policy.max_size_bytes and kept_s:
        budget_bps = policy.max_size_bytes * 8 * 0.9 / kept_s - _AUDIO_BIT_RATE_BPS
        bit_rate_kbps = max(100, int(budget_bps / 1000))
        buffer_kbits = math.ceil(bit_rate_kbps * min(_LONGEST_BUFFER_S, _BUFFERED_SHARE * kept_s))
    scaled, padded = _new_size(facts, policy)
    odd = any(side % 2 for side in (facts.width or 0, facts.height or 0))
    return Changes(
        scaled=scaled,
        padded=padded,
        makes_even=odd and scaled is None,
        frame_rate=_new_frame_rate(facts, policy),
        start_s=facts.video_start_s if picture_is_short(facts) else None,
        duration_s=duration_s,
        video_bit_rate_kbps=bit_rate_kbps,
        video_buffer_kbits=buffer_kbits,
    )


def _new_frame_rate(facts: MediaFacts, policy: MediaPolicy) -> float | None:
    """Give an allowed rate where the present one is not, or not surely after the streams move."""
    low, high = policy.min_frame_rate or 0, policy.max_frame_rate
    if high is None:
        return None
    rate = round(facts.average_frame_rate or 0, 2)
    if not low <= rate <= high:
        return high if rate > high else max(low, _SLOW_VIDEO_FRAME_RATE)
    if facts.container not in _MILLISECOND_CONTAINERS:
        return None
    if facts.variable_frame_rate:
        nominal = facts.nominal_frame_rate or 0
        return nominal if low <= nominal <= high else max(low, _SLOW_VIDEO_FRAME_RATE)
    if high - rate < _RATE_UNCERTAINTY:
        return high
    return low if rate - low < _RATE_UNCERTAINTY else None


def _new_size(
    facts: MediaFacts, policy: MediaPolicy
) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Give the nearest allowed size; bars fill what a very long shape leaves open."""
    sides = (facts.width or 0, facts.height or 0)
    if max(sides) <= policy.max_side_px and min(sides) >= (policy.min_side_px or 1):
        return None, None
    width = facts.display_width or facts.width or 2
    height = facts.display_height or facts.height or 2
    smallest, largest = policy.min_side_px or 2, policy.max_side_px
    factor = min(max(1.0, smallest / min(width, height)), largest / max(width, height))
    scaled = (_even(width * factor), _even(height * factor))
    # Rounding down to an even side may undercut the smallest one by a pixel.
    least = smallest + smallest % 2
    padded = (max(scaled[0], least), max(scaled[1], least))
    return scaled, padded if padded != scaled else None


def _even(side: float) -> int:
    return max(2, int(side + 1e-6) // 2 * 2)


def _is_too_short(facts: MediaFacts, policy: MediaPolicy) -> bool:
    kept_s = facts.video_duration_s if picture_is_short(facts) else facts.duration_s
    return kept_s is not None and kept_s < (policy.min_duration_s or 0)


def _shorter_duration_s(facts: MediaFacts, policy: MediaPolicy) -> float | None:
    if not facts.duration_s:
        return None
    kept_s = facts.video_duration_s if picture_is_short(facts) else None
    is_too_long = (kept_s or facts.duration_s) > (policy.max_duration_s or math.inf)
    return (policy.max_duration_s or math.inf) - _TRIM_MARGIN_S if is_too_long else kept_s


def _target_name(file_name: str, extension: str) -> str:
    folder, slash, base_name = file_name.rpartition("/")
    stem = base_name.rpartition(".")[0] or base_name
    # Never over the source, which may have been cut to the longest name itself.
    endings = (extension, f"-fixed{extension}", f"-fixed-again{extension}")
    targets = (f"{_shortened(stem, ending)}{ending}" for ending in endings)
    target = next(target for target in targets if target.lower() != base_name.lower())
    return f"{folder}{slash}{target}"


def _shortened(stem: str, ending: str) -> str:
    """Cut off whole characters that a file system has no room for."""
    while len((stem + ending).encode(errors="surrogateescape")) > _LONGEST_NAME_BYTES:
        stem = stem[:-1]
    return stem
