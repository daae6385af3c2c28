"""The files that the media benchmarks measure, made by ffmpeg and Pillow."""

from __future__ import annotations

import subprocess
from pathlib import Path

from PIL import Image

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
#: Keyframes every second; otherwise x264 sets them up to 250 frames apart.
PHONE = (*X264, "-g", "30")
#: Keyframes every 2 s, twice as far apart as phones set them.
HDR = (
    *("-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1"),
    "-x265-params",
    "log-level=error:keyint=60:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
)
FASTSTART = ("-movflags", "+faststart")


def video(path: Path, picture: str, seconds: float, *options: str) -> Path:
    """Encode what a source of ffmpeg shows, the index first."""
    source = ("-f", "lavfi", "-i", picture, "-t", str(seconds))
    run("ffmpeg", "-v", "error", "-nostdin", *source, *options, *FASTSTART, str(path))
    return path


def photo(path: Path, size: tuple[int, int]) -> Path:
    """Write noise as an image, of the type that the name says."""
    Image.effect_noise((size[0] // 8, size[1] // 8), 64).resize(size).convert("RGB").save(path)
    return path


def animation(path: Path, side_px: int) -> Path:
    """Write two pictures with transparency, close to the size that is accepted."""
    noise = Image.effect_noise((side_px // 8, side_px // 8), 64).resize((side_px, side_px))
    flips = (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM)
    turned = [noise.transpose(flip) for flip in flips]
    first = Image.merge("RGBA", (noise, *turned, noise))
    first.save(
        path,
        save_all=True,
        append_images=[first.transpose(Image.Transpose.ROTATE_180)],
        quality=40,
        method=0,
    )
    return path


def run(*command: str) -> None:
    """Run a program that must succeed."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
