"""What a hostile file declares costs the worker little memory: measured in a process of its own."""

import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.analysis.c2pa_manifest import C2PA
from tests import photo_files
from tests.unit.reelflow.analysis.test_c2pa_manifest import LIBRARY

PNG = b"\x89PNG\r\n\x1a\n"
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")

#: Reads what a file declares, and on demand its C2PA manifests, by a child process; prints by how
#: many KiB the process itself grew at most. It gets 2 GiB of addresses, so a bomb does no harm.
PROGRAM = """
import resource, sys
from pathlib import Path
from reelflow.analysis.base import Subject
from reelflow.analysis.c2pa_manifest import read_declared
from reelflow.analysis.embedded_reader import read_embedded
from reelflow.analysis.generators import find_generators
from reelflow.analysis.xmp import read_properties
from reelflow.source import open_file

def peak_kib():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])

resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
before = peak_kib()
with open_file(Path(sys.argv[1])) as source:
    found = read_embedded(source, sys.argv[2])
    properties, _ = read_properties(found.xmp)
    find_generators([*found.texts, *properties])
    if sys.argv[3:] == ["c2pa"]:
        assert read_declared(Subject(source, sys.argv[2], "00")).has_manifest
print(peak_kib() - before)
"""


def grown_mib(path: Path, content: bytes, container: str, *more: str) -> float:
    """Return how many MiB reading a file's declarations added to the peak of a process."""
    path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), container, *more],
        env={"PYTHONPATH": os.pathsep.join([str(path.parent), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout) / 1024


def mp4(*packets: bytes) -> bytes:
    boxes = (struct.pack(">I4s", 24 + len(one), b"uuid") + XMP_UUID + one for one in packets)
    return struct.pack(">I4s8s", 16, b"ftyp", b"isom\0\0\0\0") + b"".join(boxes)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + bytes(4)


def elements(namespace_chars: int, count: int) -> bytes:
    inner = b"".join(b"<a:t%x>x</a:t%x>" % (number, number) for number in range(count))
    return b"<r xmlns:a='" + b"u" * namespace_chars + b"'>" + inner + b"</r>"


def attributes(namespace_chars: int, count: int) -> bytes:
    inner = b" ".join(b"a:t%x=''" % number for number in range(count))
    return b"<r xmlns:a='" + b"u" * namespace_chars + b"' " + inner + b"/>"


def exif(tag: int, kind: int, inner: int, inner_kind: int) -> bytes:
    """Return a block whose entries all name the same bytes, by way of a directory or at once."""
    text_at, count = 16 * 1024, 500

    def directory(number: int, type_number: int, units: int, value: int) -> bytes:
        entry = struct.pack("<HHII", number, type_number, units, value)
        return struct.pack("<H", count) + entry * count

    block = b"II*\0" + struct.pack("<I", 8)
    units, value = (1, 8 * 1024) if kind == 4 else (200_000, text_at)
    block += directory(tag, kind, units, value)
    block = block.ljust(8 * 1024, b"\0") + directory(inner, inner_kind, 200_000, text_at)
    return block.ljust(text_at, b"\0") + b"x" * 200_000


HOSTILE: dict[str, Callable[[], tuple[bytes, str]]] = {
    "a long namespace of many elements": lambda: (mp4(elements(400_000, 3000)), "mp4"),
    "a long namespace of many attributes": lambda: (mp4(attributes(400_000, 40_000)), "mp4"),
    "many attributes": lambda: (mp4(*[attributes(3, 70_000)] * 8), "mp4"),
    "many packets with names that fit": lambda: (mp4(*[elements(480, 400)] * 600), "mp4"),
    "an element in an element": lambda: (mp4(b"<a>" * 340_000), "mp4"),
    "texts that inflate": lambda: (
        PNG + chunk(b"zTXt", b"t\0\0" + zlib.compress(b"x" * 1_000_000)) * 1000,
        "png",
    ),
    "texts that are JSON": lambda: (
        PNG + chunk(b"tEXt", b'workflow\0{"":[' + b"{}," * 340_000 + b"0]}") * 8,
        "png",
    ),
    "texts that share their bytes": lambda: (
        PNG + chunk(b"eXIf", exif(0x0131, 2, 0x9286, 2)) * 30,
        "png",
    ),
    "directories that share their bytes": lambda: (
        PNG + chunk(b"eXIf", exif(0x8769, 4, 0x9286, 2)) * 30,
        "png",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_reading_what_a_hostile_file_declares_stays_below_64_mib(name: str, tmp_path: Path) -> None:
    content, container = HOSTILE[name]()
    assert grown_mib(tmp_path / "hostile", content, container) < 64


@pytest.mark.parametrize("value", ["[]", "{}", '{"":0}'])
def test_a_manifest_of_nothing_but_structure_stays_below_64_mib(value: str, tmp_path: Path) -> None:
    count = C2PA.max_answer_bytes // (len(json.dumps(value)) + 1) - 100
    package = tmp_path / "c2pa"
    package.mkdir()
    told = f"return '{{\"manifests\":[' + {value + ','!r} * {count} + '0]}}'"
    (package / "__init__.py").write_text(LIBRARY.replace("{}", told))
    content = photo_files.image()
    assert grown_mib(tmp_path / "hostile", content, "jpeg", "c2pa") < 64
