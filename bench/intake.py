"""Speed and memory of taking files in: ``reelflow serve`` beside a bare Starlette route.

Prints one JSON object a line and exits with 1 if a target is missed::

    python -m bench.intake [--size-mib 512] [--chunk-mib 8] [--connections 4] [--rounds 9]

The bare route reads the same bodies and forgets them, served by uvicorn with the settings that it
comes with (uvloop, httptools), on all processors; ``reelflow serve`` leaves one to others. Both get
the same chunks over the same number of kept connections, in turn, and each pair gives one ratio.
The client sends with ``sendfile``, so that it costs little. What is measured of Reelflow is all of
it: the key is looked up, the session found, the chunk written to its place in the file, and
counted.

Memory is the kernel's high-water mark (VmHWM) of one server: over an upload of 64 MiB, over one of
1 GiB, and over 20 at once.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.intake_client import send_all
from bench.intake_servers import Server, forget_peak, peak_mib, running_bare, running_serve
from bench.intake_upload import (
    File,
    Way,
    ask,
    begin,
    form,
    make_file,
    raw,
    raw_with_digest,
)

FINALIZE_MAX_S = 1.0
#: A block of each upload under way, and what Python keeps for the next one.
EXTRA_RSS_MAX_MIB = 32
SMALL_MIB, LARGE_MIB, AT_ONCE = 64, 1024, 20


@dataclass(frozen=True)
class Case:
    """One way of taking chunks in, and how much of the bare route's speed it must have."""

    name: str
    way: Way
    is_durable: bool
    ratio_min: float


CASES = (
    Case("raw_relaxed", raw, is_durable=False, ratio_min=0.8),
    Case("raw_durable_with_digest", raw_with_digest, is_durable=True, ratio_min=0.5),
    Case("form_durable", form, is_durable=True, ratio_min=0.3),
)


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size-mib", type=int, default=512, help="file of the speed figures")
    parser.add_argument("--chunk-mib", type=int, default=8, help="5 to 64")
    parser.add_argument("--connections", type=int, default=4, help="chunks sent at once")
    parser.add_argument("--rounds", type=int, default=9, help="pairs, after one warm-up")
    parser.add_argument("--folder", type=Path, help="where files lie, on the disk to measure")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="reelflow-bench-", dir=options.folder) as folder,
        ExitStack() as servers,
    ):
        bare = servers.enter_context(running_bare())
        ours = {
            durable: servers.enter_context(
                running_serve(Path(folder) / f"durable-{durable}", durable=durable)
            )
            for durable in (False, True)
        }
        file = make_file(Path(folder) / "speed.mp4", options.size_mib, options.chunk_mib)
        oks = [measure_speed(case, bare, ours[case.is_durable], file, options) for case in CASES]
        file.path.unlink()
        oks += [
            measure_finalize(Path(folder), ours[True]),
            measure_memory(Path(folder), ours[True], options),
        ]
    sys.exit(0 if all(oks) else 1)


def measure_speed(
    case: Case, bare: Server, ours: Server, file: File, options: argparse.Namespace
) -> bool:
    """Send the same chunks to both in turn, and compare each pair."""
    size_mib = file.size_bytes >> 20
    ratios: list[float] = []
    for number in range(options.rounds + 1):
        upload_id = begin(ours, file)
        speeds = {}
        # In turn the one goes first and the other: the second finds what the first left to do.
        for server in (bare, ours) if number % 2 else (ours, bare):
            calls = case.way(server, file, upload_id)
            seconds = send_all(server.address, calls, connections=options.connections)
            speeds[server.pid] = size_mib / seconds
        ask(ours, "DELETE", f"/media/upload/{upload_id}")
        os.sync()
        if number == 0:  # loads what is loaded on first use
            continue
        ratios.append(speeds[ours.pid] / speeds[bare.pid])
        report(
            f"intake_{case.name}",
            round=number,
            reelflow_mib_s=round(speeds[ours.pid]),
            bare_mib_s=round(speeds[bare.pid]),
            ratio=round(ratios[-1], 3),
        )
    ratio = statistics.median(ratios)
    ok = ratio >= case.ratio_min
    report(f"intake_{case.name}", median_ratio=round(ratio, 3), target_min=case.ratio_min, ok=ok)
    return ok


def measure_finalize(folder: Path, ours: Server) -> bool:
    """Take in a large file, and see how long its end takes."""
    file = make_file(folder / "large.mp4", LARGE_MIB, 8)
    upload_id = begin(ours, file)
    send_all(ours.address, raw(ours, file, upload_id), connections=4)
    began_s = time.perf_counter()
    done = ask(ours, "POST", f"/media/upload/{upload_id}/finalize", {})
    seconds = time.perf_counter() - began_s
    file.path.unlink()
    ok = seconds <= FINALIZE_MAX_S and done["media"]["size_bytes"] == file.size_bytes
    report(
        "intake_finalize",
        size_mib=LARGE_MIB,
        seconds=round(seconds, 3),
        seconds_max=FINALIZE_MAX_S,
        ok=ok,
    )
    return ok


def measure_memory(folder: Path, ours: Server, options: argparse.Namespace) -> bool:
    """Compare the peaks over a small upload, a large one, and many at once."""
    small = make_file(folder / "small.mp4", SMALL_MIB, 8)
    large = make_file(folder / "large.mp4", LARGE_MIB, 8)
    upload(ours, [small], connections=options.connections)
    peaks = {
        f"one_of_{SMALL_MIB}_mib": [small],
        f"one_of_{LARGE_MIB}_mib": [large],
        f"{AT_ONCE}_of_{SMALL_MIB}_mib_at_once": [small] * AT_ONCE,
    }
    peaks_mib: list[float] = []
    for name, files in peaks.items():
        forget_peak(ours.pid)
        at_once = AT_ONCE if len(files) > 1 else options.connections
        upload(ours, files, connections=at_once)
        peaks_mib.append(peak_mib(ours.pid))
        report("intake_memory", uploads=name, peak_rss_mib=round(peaks_mib[-1], 1))
    extra_mib = max(peaks_mib) - peaks_mib[0]
    ok = extra_mib <= EXTRA_RSS_MAX_MIB
    report("intake_memory", extra_mib=round(extra_mib, 1), target_max_mib=EXTRA_RSS_MAX_MIB, ok=ok)
    return ok


def upload(ours: Server, files: list[File], *, connections: int) -> None:
    """Send files, a connection for each or several for one, and drop them again."""
    ids = [begin(ours, file) for file in files]
    calls = [raw_with_digest(ours, file, id_) for file, id_ in zip(files, ids, strict=True)]
    # Chunk by chunk over all files, so that each connection has a file of its own.
    in_turn = [call for chunks in zip(*calls, strict=True) for call in chunks]
    send_all(ours.address, in_turn, connections=connections)
    for id_ in ids:
        ask(ours, "DELETE", f"/media/upload/{id_}")


def report(benchmark: str, **figures: object) -> None:
    """Print one line of figures."""
    print(json.dumps({"benchmark": benchmark, **figures}), flush=True)


if __name__ == "__main__":
    main()
