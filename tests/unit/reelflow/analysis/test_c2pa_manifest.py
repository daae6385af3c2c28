"""The child that reads manifests: what it may do, and what becomes of one that breaks down."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from reelflow.analysis.base import Subject
from reelflow.analysis.c2pa_manifest import C2PA, read_declared
from reelflow.exceptions import (
    AnalysisRefusedError,
    AnalysisUnavailableError,
    ConfigurationError,
    MediaToolError,
    SourceChangedError,
)
from tests import content_credentials, media_files, photo_files
from tests.analysis_subjects import MemoryFile, subject

#: A library in place of c2pa, whose `Reader.json` a test writes.
LIBRARY = """
import json, os, signal, socket
__version__ = "0"
sdk_version = lambda: "0"
class C2paError(Exception):
    class ManifestNotFound(Exception): pass
class Settings:
    from_dict = staticmethod(lambda wanted: wanted)
Stream = lambda file: None
Context = lambda settings: settings
class Reader:
    def __init__(self, mime_type, file, *, context):
        self.mime_type, self.file, self.context = mime_type, file, context
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def json(self):
        {}
"""
Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a library in place of c2pa whose reader runs this code."""

    def put(code: str) -> None:
        folder = tmp_path / "c2pa"
        folder.mkdir(exist_ok=True)
        body = code.replace("\n", "\n        ")
        (folder / "__init__.py").write_text(LIBRARY.replace("{}", body))

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "c2pa")  # of the tests that sign
    return put


def told_by_library(install: Install, code: str) -> dict[str, object]:
    install(code)
    declared = read_declared(subject(photo_files.image()))
    assert declared.terms == ()
    return declared.details


def test_only_what_holds_the_manifest_and_its_hash_is_read() -> None:
    plain = media_files.h264_mp4().read_bytes()
    padded = plain + (20_000_008).to_bytes(4, "big") + b"free" + bytes(20_000_000)
    one = subject(padded)
    assert not read_declared(one).has_manifest
    assert isinstance(one.source, MemoryFile)
    assert one.source.bytes_read < 2 * 1024 * 1024


def test_the_child_can_open_neither_files_nor_connections_once_it_reads(install: Install) -> None:
    code = (
        "refused = []\n"
        "for attempt in (lambda: open('/etc/hostname'), socket.socket):\n"
        "    try: attempt()\n"
        "    except OSError as exc: refused.append(exc.errno)\n"
        "return json.dumps({'error': str(refused)})"
    )
    assert told_by_library(install, code) == {"error": "[24, 24]"}  # EMFILE, too many open files


def test_the_library_is_told_to_fetch_nothing(install: Install) -> None:
    told = told_by_library(install, "return json.dumps({'error': json.dumps(self.context)})")
    settings = json.loads(str(told["error"]))
    assert (settings["verify"]["remote_manifest_fetch"], settings["verify"]["ocsp_fetch"]) == (
        False,
        False,
    )
    assert settings["core"]["allowed_network_hosts"] == []


@pytest.mark.parametrize(
    ("size_mib", "asked_to", "state"),
    [(1, "True", "Valid"), (129, "False", "not checked: more than 128 MiB")],
)
def test_of_a_large_file_the_manifest_is_read_and_the_signature_not_checked(
    install: Install, size_mib: int, asked_to: str, state: str
) -> None:
    install(
        "asked_to = str(self.context['verify']['verify_after_reading'])\n"
        "manifest = {'claim_generator_info': [{'name': asked_to}]}\n"
        "return json.dumps({'manifests': {'m': manifest}, 'active_manifest': 'm',"
        " 'validation_state': 'Valid'})"
    )
    details = read_declared(subject(photo_files.image().ljust(size_mib << 20))).details
    assert (details["claim_generator"], details["validation_state"]) == (asked_to, state)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGABRT)", "the C2PA library broke on it"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", "more computing time than allowed"),
        ("os._exit(1)", "the C2PA library broke on it"),
        ("raise RuntimeError", "the C2PA library broke on it"),
        ("return 'x' * 9_000_000", "makes no sense"),
    ],
)
def test_a_library_that_breaks_down_leaves_the_file_to_a_person(
    install: Install, code: str, words: str
) -> None:
    install(code)
    with pytest.raises(AnalysisRefusedError, match=words):
        read_declared(subject(photo_files.image()))


def test_what_the_library_complains_of_is_told(install: Install) -> None:
    told = told_by_library(install, "raise C2paError('a box is too long')")
    assert told == {"error": "a box is too long"}


def test_the_file_cannot_be_read_without_end(install: Install) -> None:
    code = (
        "self.file.seek(0)\n"
        "while True:\n"
        "    for _ in range(40):\n"
        "        self.file.seek(262144 * (_ % 40))\n"
        "        self.file.read(1)"
    )
    install(code)
    one = subject(photo_files.image() + bytes(40 * 262144))
    assert read_declared(one).details == {"error": "reading it takes more of the file than allowed"}


def test_the_file_cannot_be_written_to(install: Install) -> None:
    told = told_by_library(install, "self.file.flush()\nself.file.write(b'abc')")
    assert told == {"error": "3 bytes cannot be written: the file is for reading"}


@pytest.mark.parametrize("error", ["ImportError", "OSError", "RuntimeError"])
def test_a_library_that_cannot_be_loaded_is_a_matter_of_the_installation(
    install: Install, tmp_path: Path, error: str
) -> None:
    install("pass")
    (tmp_path / "c2pa" / "__init__.py").write_text(f"raise {error}('libc2pa_c.so: not found')")
    with pytest.raises(ConfigurationError, match=r"libc2pa_c\.so.*pip install") as caught:
        read_declared(subject(photo_files.image()))
    assert caught.value.code == "c2pa_missing"


def test_a_child_that_takes_too_long_is_stopped_and_tried_again_later() -> None:
    hurried = replace(C2PA, limits=replace(C2PA.limits, wall_clock_s=0.001))
    with pytest.raises(AnalysisUnavailableError) as caught:
        read_declared(subject(photo_files.image()), program=hurried)
    assert isinstance(caught.value.__cause__, MediaToolError)


@dataclass(frozen=True)
class Changing:
    """A source that is another one by now."""

    size_bytes: int = 1000
    identity: str = "1"

    def read_at(self, offset: int, count: int) -> bytes:
        raise SourceChangedError("it was replaced")


def test_a_source_that_changes_under_the_reader_is_told_as_what_it_is() -> None:
    with pytest.raises(SourceChangedError):
        read_declared(Subject(Changing(), "jpeg", "00"))


@pytest.mark.parametrize(
    "told",
    ["", "[]", "null", '{"manifests": 3}', '{"manifests": {"a": [{"b": null}]}}', "{" * 9999],
)
def test_whatever_the_library_says_is_read_without_an_error(install: Install, told: str) -> None:
    told_by_library(install, f"return {told!r}")


def test_what_is_no_text_is_read_without_an_error(install: Install) -> None:
    assert "error" in told_by_library(install, "return 7")


def test_source_types_are_found_in_any_assertion_of_any_manifest(install: Install) -> None:
    generated = content_credentials.GENERATED
    store = {
        "active_manifest": "a",
        "manifests": {
            "a": {"assertions": [{"data": {"Iptc4xmpExt:DigitalSourceType": generated}}]},
            "b": {"assertions": [{"data": {"digitalSourceType": content_credentials.CAPTURED}}]},
        },
    }
    install(f"return {json.dumps(store)!r}")
    declared = read_declared(subject(photo_files.image()))
    assert (declared.has_manifest, declared.terms) == (True, ("trainedAlgorithmicMedia",))


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_no_descriptor_is_left_open() -> None:
    read_declared(subject(photo_files.image()))
    before = open_descriptors()
    read_declared(subject(photo_files.image()))
    assert open_descriptors() == before


def test_a_container_that_can_hold_no_manifest_starts_no_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    assert read_declared(subject(media_files.vp9_webm().read_bytes())).details == {}
