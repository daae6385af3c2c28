"""The one ffmpeg command line that makes a refused video acceptable, for a person to run."""

from __future__ import annotations

import shlex

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.media_policy import MediaPolicy

_MP4_VIDEO_CODECS = frozenset({"h264", "hevc"})
_MP4_AUDIO_CODECS = frozenset({"aac", "mp3", None})
_WEBM_VIDEO_CODECS = frozenset({"vp8", "vp9"})
_WEBM_AUDIO_CODECS = frozenset({"opus", "vorbis", None})

_AUDIO_BIT_RATE_BPS = 128_000
_SLOW_VIDEO_FRAME_RATE = 30
_TRIM_MARGIN_S = 0.5  # the last audio frame may stick out past the wished end


def repair_command(facts: MediaFacts, file_name: str, policy: MediaPolicy) -> str | None:
    """Build the line that repairs everything ffmpeg can repair at once, or None if it cannot.

    :param file_name: the user's name of the file, quoted so that a shell and ffmpeg both read it
        as one plain file
    """
    cut_or_refused = facts.data_end_byte is not None or facts.probe_error is not None
    if cut_or_refused or facts.kind != "video" or not facts.width or not facts.height:
        return None
    changes = _picture_changes(facts, policy) + _length_changes(facts, policy)
    extension = None if changes else _copy_extension(facts, policy)
    if extension is not None:
        codecs = ["-c", "copy"]
    else:
        extension = ".mp4"
        codecs = [*changes, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    if extension == ".mp4":
        tag = ["-tag:v", "hvc1"] if codecs[-1] == "copy" and facts.video_codec == "hevc" else []
        codecs += [*tag, "-movflags", "+faststart"]
    source, target = _plain_path(file_name), _plain_path(_target_name(file_name, extension))
    return " ".join(_shell_word(word) for word in ["ffmpeg", "-i", source, *codecs, target])


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


def _picture_changes(facts: MediaFacts, policy: MediaPolicy) -> list[str]:
    changes = []
    sides = (facts.width or 0, facts.height or 0)
    if max(sides) > policy.max_side_px or min(sides) < (policy.min_side_px or 1):
        changes += ["-vf", _scale_filter(facts, policy)]
    elif any(side % 2 for side in sides):
        changes += ["-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2"]  # libx264 needs even sides
    rate = round(facts.average_frame_rate or 0, 2)
    if policy.max_frame_rate is not None and rate > policy.max_frame_rate:
        changes += ["-r", f"{policy.max_frame_rate:g}"]
    elif policy.min_frame_rate is not None and rate < policy.min_frame_rate:
        changes += ["-r", f"{_SLOW_VIDEO_FRAME_RATE}"]
    return changes


def _scale_filter(facts: MediaFacts, policy: MediaPolicy) -> str:
    """Scale to the nearest allowed size; bars fill what a very long shape leaves open."""
    width = facts.display_width or facts.width or 2
    height = facts.display_height or facts.height or 2
    smallest, largest = policy.min_side_px or 2, policy.max_side_px
    factor = min(max(1.0, smallest / min(width, height)), largest / max(width, height))
    scaled = [max(2, int(side * factor + 1e-6) // 2 * 2) for side in (width, height)]
    # Rounding down to an even side may undercut the smallest one by a pixel.
    padded = [max(side, smallest + smallest % 2) for side in scaled]
    scale = f"scale={scaled[0]}:{scaled[1]},setsar=1"
    if padded == scaled:
        return scale
    return f"{scale},pad={padded[0]}:{padded[1]}:(ow-iw)/2:(oh-ih)/2"


def _length_changes(facts: MediaFacts, policy: MediaPolicy) -> list[str]:
    changes = []
    duration_s = facts.duration_s
    if duration_s and policy.max_duration_s is not None and duration_s > policy.max_duration_s:
        duration_s = policy.max_duration_s - _TRIM_MARGIN_S
        changes += ["-t", f"{duration_s:g}"]
    if facts.size_bytes > policy.max_size_bytes and duration_s:
        budget_bps = policy.max_size_bytes * 8 * 0.9 / duration_s - _AUDIO_BIT_RATE_BPS
        changes += ["-b:v", f"{max(100, int(budget_bps / 1000))}k"]
    return changes


def _target_name(file_name: str, extension: str) -> str:
    folder, slash, base_name = file_name.rpartition("/")
    stem = base_name.rpartition(".")[0] or base_name
    target = f"{stem}{extension}"
    if target.lower() == base_name.lower():  # never over the source
        target = f"{stem}-fixed{extension}"
    return f"{folder}{slash}{target}"


def _plain_path(name: str) -> str:
    """Keep ffmpeg from reading a name as an option (``-x``) or a protocol (``concat:a``)."""
    return f"./{name}" if name.startswith("-") or ":" in name.partition("/")[0] else name


def _shell_word(word: str) -> str:
    """Quote for a shell; control characters become escapes, so that they cannot act on a screen."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}"
        for byte in word.encode("utf-8", "surrogateescape")
    )
    return f"$'{escaped}'"
