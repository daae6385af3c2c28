"""How much memory media take from their validation to their covers, each in a fresh process."""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.media_files import X264, animation, photo, video
from reelflow.media.inspection import examine
from reelflow.media.repair_line import repair_line
from reelflow.source import open_file

RSS_MAX_MIB = 400
LARGEST_FRAMES = (
    *("-pix_fmt", "yuv444p12le", "-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1"),
    *("-x265-params", "log-level=error:ref=6:bframes=8:b-adapt=0:rc-lookahead=12"),
)


def memory_results(folder: Path, hdr: Path) -> Any:
    """Give what files take that take the most of their kind, of all that are accepted."""
    yield _memory_result("4k_hevc_hdr", hdr)
    plain = "testsrc2=size=4096x4096:rate=24"
    # As many frames that others refer to as H.264 allows: their exact moments do not fit.
    references = ("-preset", "ultrafast", "-refs", "16")
    deep = video(folder / "references.mp4", plain, 1.2, *X264, *references)
    yield _memory_result("4096x4096_h264", deep)
    # The largest frames of any codec that is accepted, 96 MiB each.
    yield _memory_result(
        "4096x4096_hevc_444_12", video(folder / "444.mp4", plain, 1.2, *LARGEST_FRAMES)
    )
    yield _memory_result("16mp_png", photo(folder / "graphic.png", (4096, 4096)))
    yield _memory_result("16mp_animated_webp", animation(folder / "animation.webp", 4096))


def _memory_result(name: str, path: Path) -> dict[str, Any]:
    """Do in a fresh process what is done with a file before it is posted.

    Its peak and its child's count, as if both peaked at once.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.media_memory", str(path)],
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
    """Print the peaks of this process and of its children."""
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


if __name__ == "__main__":
    _examine_alone(Path(sys.argv[1]))
