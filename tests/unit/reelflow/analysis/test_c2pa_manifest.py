"""The child that reads manifests: what it may do, and what becomes of one that breaks down."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from reelflow.analysis.base import Source, Subject
from reelflow.analysis.c2pa_manifest import FinishedRun, RunLimited, read_declared
from reelflow.exceptions import (
    AnalysisRefusedError,
    AnalysisUnavailableError,
    ConfigurationError,
    MediaToolError,
    SourceChangedError,
)
from reelflow.media.runner import ToolLimits, run_tool
from tests import content_credentials, media_files, photo_files
from tests.analysis_subjects import MemoryFile, subject


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    return_code: int
    stdout: bytes = b""


def ending(return_code: int, stdout: bytes = b"") -> RunLimited:
    def run(argv: Sequence[str], *, pass_fds: Sequence[int]) -> FinishedRun:
        return Ended(return_code, stdout)

    return run


def test_only_what_holds_the_manifest_and_its_hash_is_read() -> None:
    plain = media_files.h264_mp4().read_bytes()
    padded = plain + (20_000_008).to_bytes(4, "big") + b"free" + bytes(20_000_000)
    one = subject(padded)
    assert not read_declared(one, run_tool).has_manifest
    assert isinstance(one.source, MemoryFile)
    assert one.source.bytes_read < 1024 * 1024


def test_the_child_gets_nothing_of_our_environment_and_names_no_file_of_strangers() -> None:
    seen: list[Sequence[str]] = []

    def run(argv: Sequence[str], *, pass_fds: Sequence[int]) -> FinishedRun:
        seen.append(argv)
        return run_tool(argv, pass_fds=pass_fds)

    read_declared(subject(photo_files.image()), run)
    assert seen[0][1:3] == ["-I", "-S"]
    assert seen[0][-1] == "image/jpeg"


def test_the_child_can_open_neither_files_nor_connections_once_it_reads(tmp_path: Path) -> None:
    """A library in place of c2pa tries both, where the real one would be led to by a file."""
    library = tmp_path / "c2pa"
    library.mkdir()
    (library / "__init__.py").write_text(
        "import json, socket\n"
        "class C2paError(Exception):\n    class ManifestNotFound(Exception): pass\n"
        "class Settings:\n    from_dict = staticmethod(lambda wanted: wanted)\n"
        "Context = Stream = lambda wanted: wanted\n"
        "class Reader:\n"
        "    def __init__(self, *_, context):\n"
        "        assert context['verify']['remote_manifest_fetch'] is False\n"
        "        assert context['core']['allowed_network_hosts'] == []\n"
        "    def __enter__(self): return self\n"
        "    def __exit__(self, *_): pass\n"
        "    def json(self):\n"
        "        refused = []\n"
        "        for attempt in (lambda: open('/etc/hostname'), socket.socket):\n"
        "            try: attempt()\n"
        "            except OSError as exc: refused.append(exc.errno)\n"
        "        return json.dumps({'error': str(refused)})\n"
    )

    def run(argv: Sequence[str], *, pass_fds: Sequence[int]) -> FinishedRun:
        return run_tool([*argv[:4], str(tmp_path), *argv[5:]], pass_fds=pass_fds)

    declared = read_declared(subject(photo_files.image()), run)
    assert declared.details == {"error": "[24, 24]"}  # EMFILE, too many open files


@pytest.mark.parametrize("return_code", [-6, -11, -24, 1])
def test_a_library_that_breaks_down_leaves_the_file_to_a_person(return_code: int) -> None:
    with pytest.raises(AnalysisRefusedError, match=f"exit code {return_code}"):
        read_declared(subject(photo_files.image()), ending(return_code))


def test_a_library_that_cannot_be_loaded_is_a_matter_of_the_installation(tmp_path: Path) -> None:
    def run(argv: Sequence[str], *, pass_fds: Sequence[int]) -> FinishedRun:
        return run_tool([*argv[:4], str(tmp_path), *argv[5:]], pass_fds=pass_fds)

    with pytest.raises(ConfigurationError, match="c2pa-python"):
        read_declared(subject(photo_files.image()), run)


def test_a_child_that_takes_too_long_is_stopped_and_tried_again_later() -> None:
    def run(argv: Sequence[str], *, pass_fds: Sequence[int]) -> FinishedRun:
        return run_tool(argv, pass_fds=pass_fds, limits=ToolLimits(wall_clock_s=0.001))

    with pytest.raises(AnalysisUnavailableError) as caught:
        read_declared(subject(photo_files.image()), run)
    assert isinstance(caught.value.__cause__, MediaToolError)


@dataclass(frozen=True)
class Changing:
    """A source that is another one by now."""

    size_bytes: int = 1000

    def read_at(self, offset: int, count: int) -> bytes:
        raise SourceChangedError("it was replaced")


def test_a_source_that_changes_under_the_reader_is_told_as_what_it_is() -> None:
    source: Source = Changing()
    with pytest.raises(SourceChangedError):
        read_declared(Subject(source, "jpeg", "00"), run_tool)


@pytest.mark.parametrize(
    "printed",
    [b"", b"[]", b"null", b'{"manifests": 3}', b'{"manifests": {"a": [{"b": null}]}}', b"{" * 9999],
)
def test_whatever_the_child_prints_is_read_without_an_error(printed: bytes) -> None:
    declared = read_declared(subject(photo_files.image()), ending(0, printed))
    assert declared.terms == ()


def test_source_types_are_found_in_any_assertion_of_any_manifest() -> None:
    generated = content_credentials.GENERATED
    store = {
        "active_manifest": "a",
        "manifests": {
            "a": {"assertions": [{"data": {"Iptc4xmpExt:DigitalSourceType": generated}}]},
            "b": {"assertions": [{"data": {"digitalSourceType": content_credentials.CAPTURED}}]},
        },
    }
    printed = json.dumps(store).encode()
    declared = read_declared(subject(photo_files.image()), ending(0, printed))
    assert (declared.has_manifest, declared.terms) == (True, ("trainedAlgorithmicMedia",))


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_no_descriptor_is_left_open() -> None:
    read_declared(subject(photo_files.image()), run_tool)
    before = open_descriptors()
    read_declared(subject(photo_files.image()), run_tool)
    assert open_descriptors() == before


def test_a_container_that_can_hold_no_manifest_starts_no_child() -> None:
    def run(argv: Sequence[str], *, pass_fds: Sequence[int]) -> FinishedRun:
        raise AssertionError("a child was started")

    assert read_declared(subject(media_files.vp9_webm().read_bytes()), run).details == {}
