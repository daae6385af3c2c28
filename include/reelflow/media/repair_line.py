"""The one ffmpeg command line that makes a refused video acceptable, for a person to run."""

from __future__ import annotations

import shlex
from typing import Any

from reelflow.domain.repair import Changes, Repair


def repair_line(repair: Repair) -> str:
    """Write a repair as a line for a POSIX shell that knows ``$'...'``.

    Both names are quoted so that the shell and ffmpeg read each as one plain file, and so that
    nothing in them can act on a screen.
    """
    import ffmpeg  # here: few videos need a repair, and it loads slowly

    # Names that are no UTF-8 break ffmpeg-python, so they take the place of these words at last.
    names = {"source": repair.source_name, "target": repair.target_name}
    source = ffmpeg.input("source")
    # The streams that were judged, and no other: subtitles, data or a second sound may not fit.
    output = ffmpeg.output(source["V:0"], source["a:0?"], "target", **_options(repair))
    words = ffmpeg.compile(output)
    return " ".join(
        _shell_word(_plain_path(names[word]) if word in names else word) for word in words
    )


def _options(repair: Repair) -> dict[str, Any]:
    options: dict[str, Any] = {"c": "copy"}
    if repair.changes is not None:
        options = _encoding(repair.changes, repair.hdr_transfer)
    if repair.is_hevc:
        options["tag:v"] = "hvc1"
    if repair.extension == ".mp4":
        options["movflags"] = "+faststart"
    return options


def _encoding(changes: Changes, hdr_transfer: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {"c:v": "libx264", "pix_fmt": "yuv420p", "c:a": "aac"}
    filters = _filters(changes)
    if hdr_transfer is not None:
        options |= {"c:v": "libx265", "pix_fmt": "yuv420p10le"}
        # What only the container says of the colours, a decoder does not hand on to the encoder.
        marks = f"color_primaries=bt2020:color_trc={hdr_transfer}:colorspace=bt2020nc"
        filters.append(f"setparams={marks}")
    if filters:
        options["vf"] = ",".join(filters)
    if changes.frame_rate is not None:
        options["r"] = f"{changes.frame_rate:g}"
    if changes.start_s is not None:  # of what is made: seeking in the source may miss a keyframe
        options["ss"] = f"{changes.start_s:g}"
    if changes.duration_s is not None:
        options["t"] = f"{changes.duration_s:g}"
    if changes.video_bit_rate_kbps is not None:
        options["b:v"] = f"{changes.video_bit_rate_kbps}k"
    return options


def _filters(changes: Changes) -> list[str]:
    filters = []
    if changes.scaled is not None:
        width, height = changes.scaled
        filters += [f"scale={width}:{height}", "setsar=1"]
    if changes.padded is not None:
        width, height = changes.padded
        filters.append(f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2")
    if changes.makes_even:
        filters.append("crop=trunc(iw/2)*2:trunc(ih/2)*2")
    return filters


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
