"""Makes real media with ffmpeg: what cameras and editors give, and what people drop by mistake."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from demo.exceptions import StackError

MIB = 1024 * 1024
FFMPEG_TIMEOUT_S = 120.0
#: A file above TikTok's largest single chunk, so that it goes out in several.
SEVERAL_CHUNKS_BYTES = 70 * 1000 * 1000

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
AAC = ("-c:a", "aac", "-b:a", "96k")
FASTSTART = ("-movflags", "+faststart")


def landscape_mp4(path: Path, *, seconds: float = 5) -> None:
    """Make a 1080p H.264 MP4 with sound."""
    _ffmpeg(*_picture(1920, 1080, seconds), *_sound(seconds), *H264, *AAC, *FASTSTART, to=path)


def large_mp4(path: Path) -> None:
    """Make an MP4 of more than 70 MB: noise does not compress, so ten seconds are enough.

    :raises StackError: if this ffmpeg made it smaller than asked
    """
    noise = ("-vf", "noise=alls=60:allf=t")
    _ffmpeg(*_picture(1280, 720, 10), *noise, *H264, "-b:v", "64M", to=path)
    size_bytes = path.stat().st_size
    if size_bytes <= SEVERAL_CHUNKS_BYTES:
        raise StackError(
            f"ffmpeg made {path.name} of {size_bytes} bytes, more than {SEVERAL_CHUNKS_BYTES} "
            "are needed: use an ffmpeg with libx264"
        )


def portrait_mov(path: Path) -> None:
    """Make a MOV as phones do: pictures stored in landscape, and a flag that turns them."""
    _ffmpeg(*_picture(1280, 720, 4), *_sound(4), *H264, *AAC, to=path)
    turn_upright(path)


def webm(path: Path) -> None:
    """Make a WebM with VP9 and Opus."""
    vp9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M")
    _ffmpeg(*_picture(640, 360, 4), *_sound(4), *vp9, "-c:a", "libopus", to=path)


def truncated_mp4(path: Path) -> None:
    """Make an MP4 that lost its end; its index is at the front, so ffprobe finds nothing wrong."""
    landscape_mp4(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 55 // 100)


def text_called_mp4(path: Path) -> None:
    """Make a text file with a video's name."""
    path.write_text("This is the script of the video, not the video.\n" * 40)


def short_clip(path: Path) -> None:
    """Make a clip of half a second."""
    landscape_mp4(path, seconds=0.5)


def small_mp4(path: Path, *, number: int) -> None:
    """Make a small MP4, different from the one of every other number."""
    title = ("-metadata", f"title=clip {number}")
    _ffmpeg(*_picture(640, 360, 2), *H264, *title, *FASTSTART, to=path)


def turn_upright(path: Path) -> None:
    """Set a quarter turn in the display matrix of a MOV's first track.

    Written by hand because ffmpeg's own option has another name in 5.x than in 6 and later.
    ISO 14496-12, 8.3.2: in a version 0 ``tkhd`` the matrix starts 40 bytes into the payload.

    :raises StackError: if the file has no such track
    """
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd", data.rfind(b"moov"))  # sample data may hold the same letters
    if at < 0 or data[at + 4] != 0:
        raise StackError(f"{path.name} has no track header that can be turned")
    matrix_at = at + 4 + 40
    height = struct.unpack_from(">I", data, matrix_at + 40)[0]  # 16.16 fixed point, as the matrix
    one, w_one = 1 << 16, 1 << 30
    struct.pack_into(">9i", data, matrix_at, 0, one, 0, -one, 0, 0, height, 0, w_one)
    path.write_bytes(data)


def make(maker: Callable[[Path], None], path: Path) -> Path:
    """Make a file, and its folder first.

    :return: the path
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    maker(path)
    return path


def _picture(width: int, height: int, seconds: float) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size={width}x{height}:rate=30:duration={seconds}")


def _sound(seconds: float) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}")


def _ffmpeg(*arguments: str, to: Path) -> None:
    """Run ffmpeg; its own words are in the error if it fails."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments, f"file:{to}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FFMPEG_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise StackError(f"ffmpeg did not make {to.name} in {FFMPEG_TIMEOUT_S:.0f} s") from None
    except FileNotFoundError:
        raise StackError("ffmpeg was not found: run `make ffmpeg`") from None
    if done.returncode:
        raise StackError(f"ffmpeg could not make {to.name}: {done.stderr.strip()[-500:]}")
