"""What tests have another process do to a store: ``python -m ... WHERE COMMAND ARGUMENTS``.

It prints ``ready``, waits for a line, acts, and prints what came of it as a line of JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from reelflow.exceptions import ReelflowError
from reelflow.storage.base import MultipartUpload
from reelflow.storage.s3 import S3Store
from tests.contract.storage.stores import DEADLINE_S, REPOSITORY, Place, Store, open_store

MIB = 1024 * 1024


class Pattern:
    """A stream of bytes that is nowhere as a whole."""

    def __init__(self, size_bytes: int) -> None:
        self.left = size_bytes
        self.block = bytes(range(256)) * 256

    def read(self, count: int, /) -> bytes:
        block = self.block[: min(count, self.left)]
        self.left -= len(block)
        return block


def peak_bytes() -> int:
    """Return the most memory that this process has had.

    Not ``ru_maxrss``, which begins with that of whoever started it (Linux, ``exec_mmap``).
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def create(store: Store, key: str, content: str) -> Any:
    try:
        store.put(key, content.encode(), size_bytes=len(content), only_if_absent=True)
    except ReelflowError as exc:
        return type(exc).__name__
    return "created"


def pass_through(store: Store, key: str, size: str) -> Any:
    """Write and read a large object; return how much memory the process grew by, in bytes."""
    store.put("warm-up", bytes(9 * MIB), size_bytes=9 * MIB)
    before_bytes = peak_bytes()
    size_bytes = int(size)
    info = store.put(key, Pattern(size_bytes), size_bytes=size_bytes)
    digest = hashlib.sha256()
    with store.open(key, identity=info.identity) as reader:
        for offset in range(0, size_bytes, 8 * MIB):
            digest.update(reader.read_at(offset, 8 * MIB))
    grown_bytes = peak_bytes() - before_bytes
    return {"grown_bytes": grown_bytes, "sha256": digest.hexdigest()}


def stream(store: Store, key: str) -> Any:
    """Read an object as a stream; return how many bytes that were, and how many memory grew by."""
    assert isinstance(store, S3Store)
    block = bytearray(256 * 1024)
    with store.open(key) as reader:
        reader.read_at(0, MIB)
        before_bytes = peak_bytes()
        whole = reader.stream_at(0, reader.size_bytes)
        read_bytes = sum(iter(lambda: whole.readinto(block), 0))
    grown_bytes = peak_bytes() - before_bytes
    return {"grown_bytes": grown_bytes, "read_bytes": read_bytes}


def hold_part(store: Store, upload: str, number: str, content: str) -> Any:
    """Write the beginning of a part, say so, and go no further."""
    with store.open_part(MultipartUpload(**json.loads(upload)), int(number)) as part:
        part.write(content.encode())
        say("written")
        sys.stdin.readline()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class AnotherProcess:
    """One running process, to be used in a ``with``."""

    def __init__(self, place: Place, command: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(place.where), command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env={"PYTHONPATH": ":".join(sys.path)},
            text=True,
        )

    def __enter__(self) -> AnotherProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def wait_until_written(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "written\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def outcome(self) -> Any:
        out, _ = self.process.communicate(timeout=4 * DEADLINE_S)
        return json.loads(out)


if __name__ == "__main__":
    opened = open_store(json.loads(sys.argv[1]))
    opened.stat("warm-up")  # what is loaded on first use is loaded
    say("ready")
    sys.stdin.readline()
    commands = {
        "create": create,
        "hold_part": hold_part,
        "pass_through": pass_through,
        "stream": stream,
    }
    say(json.dumps(commands[sys.argv[2]](opened, *sys.argv[3:])))
