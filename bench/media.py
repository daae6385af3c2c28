"""What metadata and covers cost beside the usual recipe, and how much memory they take.

Prints one JSON object a line and exits with 1 if a target is missed::

    python -m bench.media [--rounds 9]

The usual recipe is ``ffprobe``, then ``ffmpeg -ss T -i F -frames:v 1 -vf scale=640:-2``, with T
going through the video from round to round, for its cost hangs on how far T is from a keyframe; for
images it is Pillow's ``load()`` and a LANCZOS resize. Both sides are measured in turn, in computing
time with that of their child processes, and the median of the pairs' ratios counts. The files are
made by ffmpeg first, which takes some minutes.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from reelflow.media.inspection import examine
from reelflow.media.repair_line import repair_line
from reelflow.source import open_file

COVER_MAX_RATIO = 0.35
CANDIDATE_MAX_RATIO = 0.2
IMAGE_MAX_RATIO = 0.4
RSS_MAX_MIB = 400
#: Where the usual recipe takes its picture: in turn all over the video.
POSITIONS = (0.3, 0.1, 0.5, 0.7, 0.2, 0.9, 0.4, 0.8, 0.6)

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
#: Keyframes every 2 s, twice as far apart as phones set them.
HDR = (
    *("-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1"),
    "-x265-params",
    "log-level=error:keyint=60:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
)
LARGEST_FRAMES = (
    *("-pix_fmt", "yuv444p12le", "-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1"),
    *("-x265-params", "log-level=error:ref=6:bframes=8:b-adapt=0:rc-lookahead=12"),
)
FASTSTART = ("-movflags", "+faststart")


def main() -> None:
    """Make the files, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help="pairs that are measured in turn")
    parser.add_argument("--examine", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.examine:
        _examine_alone(options.examine)
        return
    missed = False
    with tempfile.TemporaryDirectory(prefix="reelflow-bench-") as folder:
        for result in measure(Path(folder), options.rounds):
            print(json.dumps(result), flush=True)
            missed |= not result["ok"]
    sys.exit(1 if missed else 0)


def measure(folder: Path, rounds: int) -> Any:
    """Yield one result after the other."""
    noise = "testsrc2=size={size}:rate=30,noise=alls=8:allf=t"
    hd = _video(folder / "hd.mp4", noise.format(size="1920x1080"), 60, *X264, "-b:v", "6M")
    uhd = _video(folder / "uhd.mp4", noise.format(size="3840x2160"), 8, *HDR, "-b:v", "30M")
    for name, path, duration_s in (("1080p_h264", hd, 60.0), ("4k_hevc_hdr", uhd, 8.0)):
        yield from _video_results(name, path, duration_s, rounds)
    photo = _photo(folder / "photo.jpg", (4000, 3000))
    yield _image_result(photo, rounds)
    yield from _memory_results(folder, uhd)


def _memory_results(folder: Path, hdr: Path) -> Any:
    """Give what files take that take the most of their kind, of all that are accepted."""
    yield _memory_result("4k_hevc_hdr", hdr)
    plain = "testsrc2=size=4096x4096:rate=24"
    # As many frames that others refer to as H.264 allows: their exact moments do not fit.
    references = ("-preset", "ultrafast", "-refs", "16")
    deep = _video(folder / "references.mp4", plain, 1.2, *X264, *references)
    yield _memory_result("4096x4096_h264", deep)
    # The largest frames of any codec that is accepted, 96 MiB each.
    yield _memory_result(
        "4096x4096_hevc_444_12", _video(folder / "444.mp4", plain, 1.2, *LARGEST_FRAMES)
    )
    yield _memory_result("16mp_png", _photo(folder / "graphic.png", (4096, 4096)))
    yield _memory_result("16mp_animated_webp", _animation(folder / "animation.webp", 4096))


def _video_results(name: str, path: Path, duration_s: float, rounds: int) -> Any:
    positions = itertools.cycle(POSITIONS)

    def usual() -> None:
        moment = str(next(positions) * duration_s)
        _run("ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path))
        cover = path.with_suffix(".jpg")
        ffmpeg = ("ffmpeg", "-v", "error", "-nostdin", "-y", "-ss", moment, "-i", str(path))
        _run(*ffmpeg, "-frames:v", "1", "-vf", "scale=640:-2", str(cover))

    ours, theirs, ratio = _compare(lambda: _one_cover(path), usual, rounds)
    yield {
        "benchmark": f"media_cover_{name}",
        "cpu_s": ours,
        "usual_cpu_s": theirs,
        "ratio": ratio,
        "ratio_max": COVER_MAX_RATIO,
        "ok": ratio <= COVER_MAX_RATIO,
    }
    extra_s = statistics.median(_extra_candidate_s(path) for _ in range(rounds))
    yield {
        "benchmark": f"media_candidate_{name}",
        "cpu_s": round(extra_s, 4),
        "usual_cpu_s": theirs,
        "ratio": round(extra_s / theirs, 3),
        "ratio_max": CANDIDATE_MAX_RATIO,
        "ok": extra_s / theirs <= CANDIDATE_MAX_RATIO,
    }


def _one_cover(path: Path) -> None:
    with open_file(path) as source, examine(source, with_covers=True) as examination:
        examination.cover()


def _extra_candidate_s(path: Path) -> float:
    """Give what one more picture costs in a child that has made one."""

    def four() -> None:
        with open_file(path) as source, examine(source, with_covers=True) as examination:
            made = len(examination.candidates(4))
        assert made == 4, f"{made} candidates"

    def one() -> None:
        with open_file(path) as source, examine(source, with_covers=True) as examination:
            examination.candidates(1)

    return (_cpu_s(four) - _cpu_s(one)) / 3


def _image_result(path: Path, rounds: int) -> dict[str, Any]:
    def usual() -> None:
        with Image.open(path) as image:
            image.load()
            image.resize((640, 480), Image.Resampling.LANCZOS).save(path.with_suffix(".out.jpg"))

    def ours() -> None:
        from reelflow.media.images import shrink_image

        with path.open("rb") as file:
            shrink_image(file, max_side_px=640)

    own_s, theirs_s, ratio = _compare(ours, usual, rounds)
    return {
        "benchmark": "media_thumbnail_12mp_jpeg",
        "cpu_s": own_s,
        "usual_cpu_s": theirs_s,
        "ratio": ratio,
        "ratio_max": IMAGE_MAX_RATIO,
        "ok": ratio <= IMAGE_MAX_RATIO,
    }


def _memory_result(name: str, path: Path) -> dict[str, Any]:
    """Do in a fresh process what is done with a file before it is posted.

    Its peak and its child's count, as if both peaked at once.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.media", "--examine", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    peaks: dict[str, Any] = json.loads(done.stdout)
    rss_mib = peaks["parent_mib"] + peaks["child_mib"]
    return {
        "benchmark": f"media_memory_{name}",
        **peaks,
        "rss_mib": rss_mib,
        "rss_mib_max": RSS_MAX_MIB,
        "ok": rss_mib <= RSS_MAX_MIB,
    }


def _examine_alone(path: Path) -> None:
    import reelflow.services.intake.prepare  # noqa: F401 - a stage holds the ledger's libraries, too
    from reelflow.digest import sha256_of
    from reelflow.domain.media import publishing_violations
    from reelflow.domain.photos import photo_violations
    from reelflow.media.prepared_photo import prepare_photo

    with open_file(path) as source:
        sha256_of(source)
    with open_file(path) as source, examine(source, with_covers=True) as examination:
        if examination.facts.kind == "image":
            broken = photo_violations(examination.facts, path.name)
            prepare_photo(source, io.BytesIO())
        else:
            broken = publishing_violations(examination.facts, path.name, repair_line)
        assert not broken, broken
        examination.cover()
        examination.cover(at_s=1.0)
        examination.candidates()
    status = Path("/proc/self/status").read_text()  # getrusage remembers who started the process
    peaks = {
        "parent_mib": int(status.partition("VmHWM:")[2].split()[0]) // 1024,
        "child_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }
    print(json.dumps(peaks))


def _compare(
    ours: Callable[[], None], usual: Callable[[], None], rounds: int
) -> tuple[float, float, float]:
    """Give both medians in seconds, and the median of the ratios of the pairs."""
    ours()
    usual()  # both from warm caches
    pairs = [(_cpu_s(ours), _cpu_s(usual)) for _ in range(rounds)]
    return (
        round(statistics.median(own for own, _ in pairs), 4),
        round(statistics.median(theirs for _, theirs in pairs), 4),
        round(statistics.median(own / theirs for own, theirs in pairs), 3),
    )


def _cpu_s(work: Callable[[], None]) -> float:
    before = _used_cpu_s()
    work()
    return _used_cpu_s() - before


def _used_cpu_s() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _video(path: Path, picture: str, seconds: float, *options: str) -> Path:
    source = ("-f", "lavfi", "-i", picture, "-t", str(seconds))
    _run("ffmpeg", "-v", "error", "-nostdin", *source, *options, *FASTSTART, str(path))
    return path


def _photo(path: Path, size: tuple[int, int]) -> Path:
    Image.effect_noise((size[0] // 8, size[1] // 8), 64).resize(size).convert("RGB").save(path)
    return path


def _animation(path: Path, side_px: int) -> Path:
    """Write two pictures with transparency, close to the size that is accepted."""
    noise = Image.effect_noise((side_px // 8, side_px // 8), 64).resize((side_px, side_px))
    first = Image.merge("RGBA", (noise, noise.transpose(0), noise.transpose(1), noise))
    first.save(path, save_all=True, append_images=[first.transpose(0)], quality=40, method=0)
    return path


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
