"""What metadata and covers cost beside the usual recipe, and how much memory they take.

Prints one JSON object a line and exits with 1 if a target is missed::

    python -m bench.media [--rounds 9]

The usual recipe is ``ffprobe``, then ``ffmpeg -ss T -i F -frames:v 1 -vf scale=640:-2``, with T
going through the video from round to round, for its cost hangs on how far T is from a keyframe; for
images it is Pillow's ``load()`` and a LANCZOS resize. Both sides are measured in turn, in computing
time with that of all their processes, and the median of the pairs' ratios counts.

``ratio`` is that of a process with a fork server, which has loaded libav: a DAG's task under the
LocalExecutor has its scheduler's from its first video on, any other process one from its third.
``ratio_with_loading`` is that of a process without one, which loads libav for each: the first two
videos of a task of Celery or Kubernetes, and of the command line.

The files are made by ffmpeg first, which takes some minutes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from bench.media_files import HDR, PHONE, X264, photo, run, video
from bench.media_memory import memory_results
from reelflow.media.decoder import LIBAV
from reelflow.media.inspection import examine
from reelflow.sandbox.child import Child
from reelflow.source import open_file

COVER_MAX_RATIO = 0.35
CANDIDATE_MAX_RATIO = 0.2
IMAGE_MAX_RATIO = 0.4
#: Where the usual recipe takes its picture: in turn all over the video.
POSITIONS = (0.3, 0.1, 0.5, 0.7, 0.2, 0.9, 0.4, 0.8, 0.6)
#: Files in turn for one figure: the system counts the time of a child's children in hundredths.
FILES = 10
_unused = itertools.count(LIBAV.max_answer_bytes + 1)


def main() -> None:
    """Make the files, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help="pairs that are measured in turn")
    options = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory(prefix="reelflow-bench-") as folder:
        for result in measure(Path(folder), options.rounds):
            print(json.dumps(result), flush=True)
            missed |= not result["ok"]
    sys.exit(1 if missed else 0)


def measure(folder: Path, rounds: int) -> Any:
    """Yield one result after the other."""
    noise = "testsrc2=size={size}:rate=30,noise=alls=8:allf=t"
    hd = video(folder / "hd.mp4", noise.format(size="1920x1080"), 60, *X264, "-b:v", "6M")
    phone = video(folder / "phone.mp4", noise.format(size="1920x1080"), 60, *PHONE, "-b:v", "6M")
    uhd = video(folder / "uhd.mp4", noise.format(size="3840x2160"), 8, *HDR, "-b:v", "30M")
    for name, path, duration_s in (
        ("1080p_h264", hd, 60.0),
        ("1080p_h264_of_a_phone", phone, 60.0),
        ("4k_hevc_hdr", uhd, 8.0),
    ):
        yield from _video_results(name, path, duration_s, rounds)
    jpeg = photo(folder / "photo.jpg", (4000, 3000))
    yield _image_result(jpeg, rounds)
    yield from memory_results(folder, uhd)


def _video_results(name: str, path: Path, duration_s: float, rounds: int) -> Any:
    positions = itertools.cycle(POSITIONS)

    def usual() -> None:
        moment = str(next(positions) * duration_s)
        run("ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path))
        cover = path.with_suffix(".jpg")
        ffmpeg = ("ffmpeg", "-v", "error", "-nostdin", "-y", "-ss", moment, "-i", str(path))
        run(*ffmpeg, "-frames:v", "1", "-vf", "scale=640:-2", str(cover))

    ours, theirs, ratio = _compare(lambda: _one_cover(path), usual, rounds, files=FILES)
    loading_s = statistics.median(_loading_s() for _ in range(rounds))
    yield {
        "benchmark": f"media_cover_{name}",
        "cpu_s": ours,
        "usual_cpu_s": theirs,
        "ratio": ratio,
        "ratio_max": COVER_MAX_RATIO,
        "ratio_with_loading": round((ours + loading_s) / theirs, 3),
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


def _loading_s() -> float:
    """Give what starting a process and loading libav in it costs, for a file of its own."""
    never_run = replace(LIBAV, max_answer_bytes=next(_unused))

    def load() -> None:
        with Child(never_run) as child:
            child.socket.recv(1)

    return _cpu_s(load)


def _extra_candidate_s(path: Path) -> float:
    """Give what one more picture costs in a child that has made one."""

    def four() -> None:
        with open_file(path) as source, examine(source, with_covers=True) as examination:
            made = len(examination.candidates(4))
        assert made == 4, f"{made} candidates"

    def one() -> None:
        with open_file(path) as source, examine(source, with_covers=True) as examination:
            examination.candidates(1)

    return (_cpu_s(four, FILES) - _cpu_s(one, FILES)) / 3


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


def _compare(
    ours: Callable[[], None], usual: Callable[[], None], rounds: int, *, files: int = 1
) -> tuple[float, float, float]:
    """Give both medians in seconds for a file, and the median of the ratios of the pairs."""
    for _ in range(4):  # both from warm caches, and our children forked from now on
        ours()
    usual()
    pairs = [(_cpu_s(ours, files), _cpu_s(usual)) for _ in range(rounds)]
    return (
        round(statistics.median(own for own, _ in pairs), 4),
        round(statistics.median(theirs for _, theirs in pairs), 4),
        round(statistics.median(own / theirs for own, theirs in pairs), 3),
    )


def _cpu_s(work: Callable[[], None], times: int = 1) -> float:
    before = _used_cpu_s()
    for _ in range(times):
        work()
    return (_used_cpu_s() - before) / times


def _used_cpu_s() -> float:
    """Give the computing time of this process and of all it started, those that run on included."""
    mine = psutil.Process()
    return sum(sum(one.cpu_times()[:4]) for one in (mine, *mine.children(recursive=True)))


if __name__ == "__main__":
    main()
