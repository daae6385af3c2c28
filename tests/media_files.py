"""Tiny real media files, made once a test process by ffmpeg; copy one before changing it."""

from __future__ import annotations

import struct
import subprocess
import tempfile
import zlib
from functools import cache
from pathlib import Path

_FOLDER = tempfile.TemporaryDirectory(prefix="reelflow-media-")

_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
_AAC = ("-c:a", "aac", "-b:a", "64k")
_PICTURE = "testsrc2=size={size}:rate={rate}"
# Red top left quarter on blue: shows which way a picture was turned.
_CORNER = "color=blue:size={size}:rate={rate},drawbox=w=iw/2:h=ih/2:color=red:t=fill"


def folder() -> Path:
    """Give the folder of all files made here; it goes away with the process."""
    return Path(_FOLDER.name)


def run_ffmpeg(*words: str) -> None:
    """Run ffmpeg as a person would, on files the tests made."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-nostdin", *words], check=True)


def _make(
    name: str,
    *options: str,
    seconds: float = 1.5,
    size: str = "640x360",
    rate: str = "30",
    picture: str = _PICTURE,
    sound: bool = True,
) -> Path:
    path = folder() / name
    inputs = ["-f", "lavfi", "-i", picture.format(size=size, rate=rate)]
    if sound:
        inputs += ["-f", "lavfi", "-i", "sine=frequency=440"]
    run_ffmpeg(*inputs, "-t", str(seconds), *options, str(path))
    return path


@cache
def h264_mp4() -> Path:
    """1.5 s of 640x360 H.264 and AAC, index first."""
    return _make("clip.mp4", *_H264, *_AAC, "-movflags", "+faststart")


@cache
def index_last_mp4() -> Path:
    """The same clip with the index behind the media data."""
    return _make("index-last.mp4", *_H264, *_AAC)


@cache
def portrait_mov() -> Path:
    """What a phone held upright makes: coded sideways, flagged, with its place in the tags."""
    tags = ("-metadata", "location=+52.5163+013.3777/", "-metadata", "title=At home")
    when = ("-metadata", "creation_time=2026-11-20T10:00:00Z")
    flat = _make("flat.mov", *_H264, *_AAC, picture=_CORNER)
    path = folder() / "portrait.mov"
    turn = ("-metadata:s:v", "rotate=-90")
    run_ffmpeg("-i", str(flat), "-c", "copy", *turn, *tags, *when, str(path))
    return path


@cache
def wide_pixel_mp4() -> Path:
    """Coded 640x480 with pixels 4:3 wide, shown as 853x480."""
    return _make("wide.mp4", *_H264, "-vf", "setsar=4/3", size="640x480", sound=False)


@cache
def vp9_webm() -> Path:
    """VP9 and Opus in WebM."""
    speed = ("-deadline", "realtime", "-cpu-used", "8")
    return _make("clip.webm", "-c:v", "libvpx-vp9", *speed, "-c:a", "libopus")


@cache
def mpeg4_avi() -> Path:
    """MPEG-4 part 2 and MP3 in AVI."""
    return _make("clip.avi", "-c:v", "mpeg4", "-c:a", "libmp3lame")


@cache
def h264_mkv() -> Path:
    """H.264 and AAC in Matroska."""
    return _make("clip.mkv", *_H264, *_AAC)


@cache
def truncated_mp4() -> Path:
    """The first 55 % of a clip whose index is first: libav calls it perfect."""
    whole = h264_mp4().read_bytes()
    path = folder() / "truncated.mp4"
    path.write_bytes(whole[: len(whole) * 55 // 100])
    return path


@cache
def text_mp4() -> Path:
    """A text file with the name of a video."""
    path = folder() / "text.mp4"
    path.write_text("This is not a video.\n" * 20)
    return path


@cache
def short_mp4() -> Path:
    """Half a second."""
    return _make("short.mp4", *_H264, seconds=0.5, sound=False)


@cache
def too_many_frames_mp4() -> Path:
    """60.02 frames a second."""
    return _make("fast.mp4", *_H264, rate="60.02", sound=False)


@cache
def small_odd_mkv() -> Path:
    """301x171 pixels of lossless FFV1, at 10 frames a second: wrong in every way ffmpeg mends."""
    return _make("small.mkv", "-c:v", "ffv1", size="301x171", rate="10", sound=False)


@cache
def hdr_mp4() -> Path:
    """H.264 marked as PQ."""
    bt2020, pq = 9, 16  # ITU-T H.273
    colours = f"colour_primaries={bt2020}:transfer_characteristics={pq}"
    marks = f"h264_metadata={colours}:matrix_coefficients={bt2020}"
    return _make("hdr.mp4", *_H264, "-bsf:v", marks, sound=False)


@cache
def unnamed_side_data_mov() -> Path:
    """A phone's upright video whose frames carry data of a kind that PyAV has no name for (LCEVC).

    It is a message to the decoder (SEI, registered by ITU-T T.35) before the first picture.
    """
    stream = folder() / "stream.h264"
    annex_b = ("-an", "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264")
    run_ffmpeg("-i", str(_make("corner.mp4", *_H264, picture=_CORNER)), *annex_b, str(stream))
    content = stream.read_bytes()
    message = bytes([0xB4, 0x00, 0x50, 0x00, 0x01, *range(1, 20)]).replace(b"\0\0\1", b"\0\0\3\1")
    start_code = b"\0\0\0\1"
    unit = start_code + bytes([6, 4, len(message)]) + message + b"\x80"
    first_picture = content.index(b"\0\0\1\x65")
    stream.write_bytes(content[:first_picture] + unit + content[first_picture:])
    path = folder() / "unnamed.mov"
    run_ffmpeg(
        "-r", "30", "-i", str(stream), "-c", "copy", "-metadata:s:v", "rotate=-90", str(path)
    )
    return path


@cache
def compressed_index_mov(megabytes: int = 1024) -> Path:
    """A memory bomb: a compressed index (cmov) of 1 MB that inflates to `megabytes`."""
    inflated = megabytes * 1024 * 1024
    packer = zlib.compressobj(9)
    start = packer.compress(bytes(1024 * 1024)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1024 * 1024)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = struct.pack(">I", (inflated % 65521) << 16 | 1)  # Adler-32 of that many zeros
    packed = start + again * (megabytes - 1) + packer.flush()[:-4] + checksum
    content = _box(b"dcom", b"zlib") + _box(b"cmvd", struct.pack(">I", inflated) + packed)
    path = folder() / "bomb.mov"
    path.write_bytes(
        _box(b"ftyp", b"qt  \0\0\2\0qt  ")
        + _box(b"moov", _box(b"cmov", content))
        + _box(b"mdat", b"\0" * 64)
    )
    return path


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content
