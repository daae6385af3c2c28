"""The rules a media file must keep to be taken in and published, and what breaks them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from reelflow.domain.media_facts import (
    IMAGE_CONTAINERS,
    VIDEO_EXTENSIONS,
    MediaFacts,
    file_extension,
)
from reelflow.domain.media_policy import INTAKE, MIB, TIKTOK, MediaPolicy
from reelflow.domain.repair import RepairLine, picture_is_short, plan_repair
from reelflow.domain.violation import Violation

__all__ = [
    "IMAGE_CONTAINERS",
    "INTAKE",
    "TIKTOK",
    "VIDEO_EXTENSIONS",
    "MediaFacts",
    "MediaPolicy",
    "Violation",
    "publishing_violations",
    "violations",
]

_EXPORT_AGAIN = "export the video again from the program that made it"


class _Mending:
    """What to do about a file that breaks rules; a line is written once, and only if needed."""

    def __init__(
        self, facts: MediaFacts, file_name: str, policy: MediaPolicy, repair_line: RepairLine
    ) -> None:
        self._repair = plan_repair(facts, file_name, policy)
        self._repair_line = repair_line
        #: The line, once a rule asked for it.
        self.needed_line: str | None = None

    def or_else(self, advice: str) -> str:
        """Give the line that repairs the file, or what else to do where there is none."""
        self.needed_line = self._line
        return self._line or advice

    @cached_property
    def _line(self) -> str | None:
        return None if self._repair is None else self._repair_line(self._repair)


def publishing_violations(
    facts: MediaFacts, file_name: str, repair_line: RepairLine, house: MediaPolicy = INTAKE
) -> list[Violation]:
    """List every house and platform rule that the file breaks: empty means it may be posted.

    Parameters as of :func:`violations`.
    """
    return violations(facts, file_name, house.narrowed_by(TIKTOK), repair_line)


def violations(
    facts: MediaFacts, file_name: str, policy: MediaPolicy, repair_line: RepairLine
) -> list[Violation]:
    """List every rule of the policy that the file breaks as a video, all at once.

    :param file_name: the user's name of the file: data, quoted wherever a fix shows it
    :param repair_line: writes the line that repairs a video, as `reelflow.media.repair_line` does
    """
    if facts.size_bytes == 0:
        return [Violation("empty", "0 bytes", "a video file", "copy or upload the file again")]
    mending = _Mending(facts, file_name, policy, repair_line)
    found = list(_broken_file_rules(facts, policy, mending))
    if facts.kind == "video":
        found += _broken_container_rules(facts, policy, mending)
        if facts.probe_error is None and facts.is_measured:
            found += _broken_video_rules(facts, policy, mending)
        found += _broken_name(facts, file_name, mending)
    return found


def _broken_file_rules(
    facts: MediaFacts, policy: MediaPolicy, mending: _Mending
) -> Iterator[Violation]:
    names = " ".join(VIDEO_EXTENSIONS[container] for container in policy.containers)
    if facts.kind == "image":
        yield Violation(
            "photo",
            f"{facts.container} image",
            "a video file",
            "give a video; photos become a post when they lie in a folder of their own",
        )
    elif facts.kind != "video":
        what = facts.container.removeprefix("other:")
        yield Violation(
            "type", f"{what} content", names, "give a real video file; renaming does not make one"
        )
    if facts.size_bytes > policy.max_size_bytes:
        yield Violation(
            "size",
            _size_text(facts.size_bytes),
            f"at most {_size_text(policy.max_size_bytes)}",
            mending.or_else("compress or shorten the video"),
        )


def _broken_name(facts: MediaFacts, file_name: str, mending: _Mending) -> Iterator[Violation]:
    """Compare the name with the content, last: a line reads the file by the name that it has."""
    expected = VIDEO_EXTENSIONS[facts.container]
    actual = file_extension(file_name)
    if actual != expected:
        yield Violation(
            "extension",
            actual or "no extension",
            f"{expected}, because the content is {facts.container.upper()}",
            mending.needed_line or f"rename the file so that its name ends in {expected}",
        )


def _broken_container_rules(
    facts: MediaFacts, policy: MediaPolicy, mending: _Mending
) -> Iterator[Violation]:
    if facts.container not in policy.containers:
        yield Violation(
            "container",
            facts.container.upper(),
            ", ".join(container.upper() for container in policy.containers),
            mending.or_else(_EXPORT_AGAIN),
        )
    if facts.data_end_byte is not None:
        yield _damage(facts.data_end_byte, facts.declared_size_bytes)
    elif facts.probe_error is not None:
        fix = f"{_EXPORT_AGAIN}, as H.264 in MP4"
        yield Violation("unreadable", facts.probe_error, "a video libav can read", fix)


def _damage(data_end_byte: int, declared_size_bytes: int | None) -> Violation:
    if declared_size_bytes is None:
        return Violation(
            "damaged",
            f"the data stops making sense at byte {data_end_byte}",
            "a whole container",
            f"copy or upload the file again; if that does not help, {_EXPORT_AGAIN}",
        )
    return Violation(
        "truncated",
        f"the data ends at byte {data_end_byte}",
        f"the container declares {declared_size_bytes} bytes",
        "copy or upload the whole file again",
    )


def _broken_video_rules(
    facts: MediaFacts, policy: MediaPolicy, mending: _Mending
) -> Iterator[Violation]:
    if facts.video_codec is None and facts.width is None:
        yield Violation("no_video", "no video stream", "one video stream", _EXPORT_AGAIN)
        return
    if policy.video_codecs is not None and facts.video_codec not in policy.video_codecs:
        codecs = ", ".join(policy.video_codecs)
        fix = mending.or_else(_EXPORT_AGAIN)
        yield Violation("video_codec", facts.video_codec or "unknown", codecs, fix)
    yield from _broken_duration(facts.duration_s, policy, mending)
    if picture_is_short(facts):
        yield Violation(
            "picture",
            _shown_text(facts),
            "a picture for at least half of the duration",
            mending.or_else(f"{_EXPORT_AGAIN}, with a picture as long as the sound"),
        )
    yield from _broken_resolution(facts.width, facts.height, policy, mending)
    yield from _broken_frame_rate(facts.average_frame_rate, policy, mending)


def _broken_duration(
    duration_s: float | None, policy: MediaPolicy, mending: _Mending
) -> Iterator[Violation]:
    limit = _range_text(policy.min_duration_s, policy.max_duration_s, "s")
    if limit is None:
        return
    if duration_s is None:
        yield Violation("duration", "unknown", limit, mending.or_else(_EXPORT_AGAIN))
    elif policy.min_duration_s is not None and duration_s < policy.min_duration_s:
        longer = f"use a clip of at least {policy.min_duration_s:g} s"
        yield Violation("duration", _seconds_text(duration_s), limit, longer)
    elif policy.max_duration_s is not None and duration_s > policy.max_duration_s:
        fix = mending.or_else(_EXPORT_AGAIN)
        yield Violation("duration", _seconds_text(duration_s), limit, fix)


def _broken_resolution(
    width: int | None, height: int | None, policy: MediaPolicy, mending: _Mending
) -> Iterator[Violation]:
    limit = f"{_range_text(policy.min_side_px, policy.max_side_px, 'px')} each side"
    if not width or not height:
        yield Violation("resolution", "unknown", limit, _EXPORT_AGAIN)
    elif max(width, height) > policy.max_side_px or min(width, height) < (policy.min_side_px or 1):
        fix = mending.or_else(_EXPORT_AGAIN)
        yield Violation("resolution", f"{width}x{height} px", limit, fix)


def _broken_frame_rate(
    frame_rate: float | None, policy: MediaPolicy, mending: _Mending
) -> Iterator[Violation]:
    limit = _range_text(policy.min_frame_rate, policy.max_frame_rate, "fps")
    if limit is None:
        return
    # Two decimals: millisecond timestamps alone make a true 60 fps measure 60.001.
    shown = None if frame_rate is None else round(frame_rate, 2)
    low, high = policy.min_frame_rate or 0, policy.max_frame_rate or float("inf")
    if shown is None or not low <= shown <= high:
        value = "unknown" if shown is None else f"{shown:g} fps"
        yield Violation("frame_rate", value, limit, mending.or_else(_EXPORT_AGAIN))


def _range_text(low: float | None, high: float | None, unit: str) -> str | None:
    if low is not None and high is not None:
        return f"{low:g} to {high:g} {unit}"
    if high is not None:
        return f"at most {high:g} {unit}"
    return f"at least {low:g} {unit}" if low is not None else None


def _shown_text(facts: MediaFacts) -> str:
    """Say when a picture is shown that is there for a part of the video only."""
    duration = _seconds_text(facts.duration_s or 0)
    shown = _seconds_text(facts.video_duration_s or 0)
    if facts.video_start_s is None:
        return f"ends after {shown} of {duration}"
    return f"starts after {_seconds_text(facts.video_start_s)} and lasts {shown} of {duration}"


def _seconds_text(duration_s: float) -> str:
    return f"{round(duration_s, 3):.12g} s"


def _size_text(size_bytes: int) -> str:
    return f"{size_bytes / MIB:.1f} MiB ({size_bytes} bytes)"
