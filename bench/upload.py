"""Memory, speed and CPU of an upload: what TikTokClient.put_chunk needs, beside curl.

Prints one JSON object a line and exits with 1 if a target is missed::

    PYTHONPATH=include python bench/upload.py [--large-mib 1024] [--speed-mib 512] [--rounds 9]

Memory is the kernel's high-water mark (VmHWM) of a process that uploads the large file, in the
smallest and in the largest chunks, less that of one that uploads 1 MiB. Speed is taken at the sink,
from the first request's arrival to the last answer; CPU is what the kernel counts for the whole
process, less that of an upload of 1 MiB: so neither program's start counts. Both send the same
chunks with the same headers on one kept connection, in turn, and each pair gives one ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelflow.domain.chunks import plan_chunks

MIB = 1024 * 1024
EXTRA_RSS_MAX_MIB = 24
SPEED_RATIO_MIN = 0.85
CPU_RATIO_MAX = 1.1
CHUNK_BYTES = (5 * MIB, 32_000_000)
CONTENT_TYPE = "video/mp4"


def main() -> None:
    """Run one of the roles; without one, the whole benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--large-mib", type=int, default=1024, help="file of the memory figure")
    parser.add_argument("--speed-mib", type=int, default=512, help="file of the speed figure")
    parser.add_argument(
        "--rounds", type=int, default=15, help="pairs of uploads, after one warm-up"
    )
    parser.add_argument("--role", choices=["sink", "upload"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--chunk-bytes", type=int, default=32_000_000, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "sink":
        serve_sink()
    elif options.role == "upload":
        upload(options.file, options.url, options.chunk_bytes)
    else:
        sys.exit(0 if run(options) else 1)


def run(options: argparse.Namespace) -> bool:
    """Measure everything; return whether every target is met."""
    if shutil.which("curl") is None:
        sys.exit("curl is needed for the comparison: install it (apt-get install curl).")
    with tempfile.TemporaryDirectory(prefix="reelflow-bench-") as folder, running_sink() as sink:
        lean = measure_memory(Path(folder), sink, options.large_mib)
        fast = measure_speed_and_cpu(Path(folder), sink, options.speed_mib, options.rounds)
    return lean and fast


def measure_memory(folder: Path, sink: Sink, large_mib: int) -> bool:
    """Compare the peaks of a large and a small upload."""
    peaks_mib: list[float] = []
    for size_mib, chunk_bytes in ((1, CHUNK_BYTES[0]), *((large_mib, one) for one in CHUNK_BYTES)):
        path = folder / "sparse.mp4"
        with path.open("wb") as file:
            file.truncate(size_mib * MIB)
        peaks_mib.append(run_ours(path, sink.url, chunk_bytes)[1]["peak_rss_mib"])
        sink.seconds()
        report(
            "upload_memory",
            size_mib=size_mib,
            chunk_bytes=chunk_bytes,
            peak_rss_mib=peaks_mib[-1],
        )
    extra_mib = round(max(peaks_mib) - peaks_mib[0], 2)
    ok = extra_mib <= EXTRA_RSS_MAX_MIB
    report("upload_memory", extra_mib=extra_mib, target_max_mib=EXTRA_RSS_MAX_MIB, ok=ok)
    return ok


@dataclass(frozen=True)
class Measured:
    """One upload."""

    mib_s: float
    cpu_s: float


def measure_speed_and_cpu(folder: Path, sink: Sink, size_mib: int, rounds: int) -> bool:
    """Upload in turn with curl, and compare each pair."""
    small, large = folder / "small" / "clip.mp4", folder / "large" / "clip.mp4"
    for path, mib in ((small, 1), (large, size_mib)):
        path.parent.mkdir()
        with path.open("wb") as file:
            for _ in range(mib):
                file.write(os.urandom(MIB))
    curl = {path: curl_command(path, sink.url) for path in (small, large)}

    def measure(send: Callable[[Path], float]) -> Measured:
        start_cpu_s = send(small)
        sink.seconds()
        cpu_s = send(large) - start_cpu_s
        return Measured(size_mib / sink.seconds(), cpu_s)

    speeds: list[float] = []
    cpus: list[float] = []
    for number in range(rounds + 1):
        ours = measure(lambda path: run_ours(path, sink.url)[0])
        curls = measure(lambda path: run_measured(curl[path])[0])
        if number == 0:  # fills the page cache
            continue
        speeds.append(ours.mib_s / curls.mib_s)
        cpus.append(ours.cpu_s / curls.cpu_s)
        report(
            "upload_speed",
            round=number,
            reelflow_mib_s=round(ours.mib_s),
            curl_mib_s=round(curls.mib_s),
            ratio=round(speeds[-1], 3),
            reelflow_cpu_s_gib=round(ours.cpu_s * 1024 / size_mib, 3),
            curl_cpu_s_gib=round(curls.cpu_s * 1024 / size_mib, 3),
            cpu_ratio=round(cpus[-1], 3),
        )
    speed, cpu = statistics.median(speeds), statistics.median(cpus)
    report("upload_speed", median_ratio=round(speed, 3), target_min=SPEED_RATIO_MIN)
    report("upload_cpu", median_ratio=round(cpu, 3), target_max=CPU_RATIO_MAX)
    return speed >= SPEED_RATIO_MIN and cpu <= CPU_RATIO_MAX


def curl_command(path: Path, url: str) -> list[str]:
    """Cut the file into one file a chunk, because curl cannot send a part of one."""
    command = ["curl"]
    content = path.read_bytes()
    for index, byte_range in enumerate(plan_chunks(len(content)).ranges()):
        part = path.with_name(f"{index:04}.part")
        part.write_bytes(content[byte_range.first : byte_range.last + 1])
        command += ["--next"] if index else []
        command += ["--silent", "--show-error", "--fail", "--noproxy", "*", "--upload-file"]
        command += [str(part), "--header", "Expect:", "--header", f"Content-Type: {CONTENT_TYPE}"]
        command += ["--header", f"Content-Range: {byte_range.content_range}", url]
    return command


def run_ours(path: Path, url: str, chunk_bytes: int = 32_000_000) -> tuple[float, dict[str, Any]]:
    """Run :func:`upload` in a new interpreter; return its CPU seconds and what it reports."""
    command = [sys.executable, __file__, "--role", "upload", "--file", str(path), "--url", url]
    cpu_s, said = run_measured([*command, "--chunk-bytes", str(chunk_bytes)])
    result: dict[str, Any] = json.loads(said)
    return cpu_s, result


def run_measured(command: list[str]) -> tuple[float, str]:
    """Run a program; return its CPU seconds, in user and kernel mode, and its output."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{command[0]} ended with {process.returncode}")
        said.seek(0)
        return usage.ru_utime + usage.ru_stime, said.read()


def upload(path: Path, url: str, chunk_bytes: int) -> None:
    """Upload as the product does, and print this process's peak of memory."""
    from reelflow.source import FileSource
    from reelflow.tiktok.client import TikTokClient  # only here: the parent measures nothing of it

    fd = os.open(path, os.O_RDONLY)
    source = FileSource(fd)
    plan = plan_chunks(source.size_bytes, chunk_bytes=chunk_bytes)
    with TikTokClient(host="127.0.0.1", extra_upload_hosts=frozenset({"127.0.0.1"})) as client:
        for byte_range in plan.ranges():
            client.put_chunk(url, source, byte_range, CONTENT_TYPE)
    # Not getrusage: its maximum is inherited from the process that started this one.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    print(json.dumps({"peak_rss_mib": round(int(peak[1]) / 1024, 2)}))


class Sink:
    """The process that takes the bytes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._lines = process.stdout
        self.url: str = json.loads(self._lines.readline())["url"]

    def seconds(self) -> float:
        """Return how long the upload took that has just ended."""
        seconds: float = json.loads(self._lines.readline())["seconds"]
        return seconds


@contextmanager
def running_sink() -> Iterator[Sink]:
    """Start the sink, and stop it whatever happens."""
    command = [sys.executable, __file__, "--role", "sink"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Sink(process)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def serve_sink() -> None:
    """Answer PUTs with 206, the last with 201, and forget the bytes; print each upload's time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(
            json.dumps(
                {"url": f"http://127.0.0.1:{listener.getsockname()[1]}/upload?upload_token=x"}
            )
        )
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            with connection:
                drain(connection)


def drain(connection: socket.socket) -> None:
    """Take the chunks of one connection."""
    buffer = memoryview(bytearray(MIB))
    started = 0.0
    while head := read_head(connection):
        text, extra = head
        match = re.search(r"content-range: bytes (\d+)-(\d+)/(\d+)", text, re.IGNORECASE)
        assert match is not None, text
        first, last, total = (int(number) for number in match.groups())
        if first == 0:
            started = time.perf_counter()
        left = last - first + 1 - extra
        while left:
            count = connection.recv_into(buffer)
            if count == 0:
                return
            left -= count
        is_complete = last == total - 1
        status = "201 Created" if is_complete else "206 Partial Content"
        connection.sendall(
            f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n"
            f"Content-Range: bytes 0-{last + 1}/{total}\r\n\r\n".encode()
        )
        if is_complete:
            print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


def read_head(connection: socket.socket) -> tuple[str, int] | None:
    """Return a request's head and how many bytes of its body came with it; None at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, extra = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), len(extra)


def report(bench: str, **figures: object) -> None:
    """Print one line of figures."""
    print(json.dumps({"bench": bench, **figures}), flush=True)


if __name__ == "__main__":
    main()
