"""Command lines for ffmpeg and ffprobe, as pure functions that give argument lists.

Files are named by descriptor only (``file:/proc/self/fd/N``): the program reads the very file that
was opened and checked, and no user-made name can act as an option or a protocol.
"""

from __future__ import annotations

import ffmpeg

# The format list is the wall that matters: with the protocol list alone, ffmpeg 5.1 still opens
# what an HLS or ffconcat playlist named .mp4 points at. Both go on every command.
_PROTOCOLS = "file"
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"

_PROBE_MAX_PIXELS = 16384 * 8640  # loose, so that "7680x4320" is measured and can be told
_DECODE_MAX_PIXELS = 4096 * 4096
_MAX_STREAMS = 64

_SQUARE_PIXELS = "scale='trunc(iw*sar/2)*2':ih,setsar=1"
_TONEMAP = (
    "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,"
    "tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
)


def probe_command(fd: int) -> list[str]:
    """Build the ffprobe call that describes the file open at `fd` as JSON."""
    # By hand: ffmpeg-python's probe runs the program itself, without limits.
    return [
        "ffprobe", "-v", "error", "-hide_banner",
        "-protocol_whitelist", _PROTOCOLS, "-format_whitelist", _FORMATS,
        "-max_pixels", str(_PROBE_MAX_PIXELS), "-max_streams", str(_MAX_STREAMS),
        "-print_format", "json", "-show_format", "-show_streams",
        "-i", _descriptor(fd),
    ]  # fmt: skip


def frame_command(
    source_fd: int,
    target_fd: int,
    *,
    at_s: float,
    max_side_px: int,
    keyframes_only: bool,
    hdr: bool = False,
) -> list[str]:
    """Build the ffmpeg call that writes one frame as JPEG, without any metadata.

    :param at_s: seconds from the start
    :param keyframes_only: take the keyframe at or before `at_s`, decoding nothing else
    :param hdr: map PQ or HLG to standard range; done after scaling, which makes it cheap
    """
    options = {
        "protocol_whitelist": _PROTOCOLS,
        "format_whitelist": _FORMATS,
        "max_pixels": _DECODE_MAX_PIXELS,
        "max_streams": _MAX_STREAMS,
        "threads": 1,  # one frame gains nothing from threads, which cost memory
    }
    if at_s > 0:
        options["ss"] = f"{at_s:.3f}"
    if keyframes_only:
        options |= {"discard:v": "nokey", "skip_frame": "nokey", "noaccurate_seek": None}
    # Capital V: cover art is not the video.
    frame = ffmpeg.input(_descriptor(source_fd), **options)["V:0"]
    written = frame.output(
        _descriptor(target_fd),
        **{"frames:v": 1, "fps_mode": "passthrough", "vf": _filters(max_side_px, hdr)},
        **{"map_metadata": -1, "c:v": "mjpeg", "q:v": 4, "f": "image2", "update": 1},
    )
    command = written.global_args("-hide_banner", "-nostdin", "-v", "error").overwrite_output()
    return [str(word) for word in command.compile()]


def _filters(max_side_px: int, hdr: bool) -> str:
    box = f"w='min({max_side_px},iw)':h='min({max_side_px},ih)'"
    fit = f"scale={box}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=area"
    return ",".join([_SQUARE_PIXELS, fit, _TONEMAP] if hdr else [_SQUARE_PIXELS, fit])


def _descriptor(fd: int) -> str:
    return f"file:/proc/self/fd/{fd}"
