"""The parent's side: no word of a child is believed."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from reelflow.exceptions import MediaToolError, SourceChangedError
from reelflow.media.decoder import LIBAV
from reelflow.sandbox import wire
from reelflow.sandbox.child import Child
from reelflow.sandbox.conversation import (
    Conversation,
    FileRefusedError,
    LibraryBrokenError,
    open_conversation,
)
from reelflow.sandbox.program import LibraryMissingError
from reelflow.source import BytesSource
from tests import media_files
from tests.unit.reelflow.sandbox.scripted_child import (
    answer,
    conversation,
    wanted,
    written_library,
)


@pytest.mark.parametrize(
    "said",
    [
        b"garbage of no kind",
        wire.frame(wire.ANSWER, b"no JSON"),
        wire.frame(wire.ANSWER, b"[" * 16000),
        wire.frame(wire.ANSWER, b"[1]"),
        wire.HEADER.pack(wire.ANSWER, 2**31),
        wire.frame(wire.ATTACHMENT, b"{}"),
        wanted(990, 20),
        wanted(2**63, 1),
        wanted(0, 0),
        wire.HEADER.pack(wire.RANGE_WANTED, 1) + b"x",
    ],
)
def test_nonsense_is_the_files_fault(said: bytes) -> None:
    with conversation(said) as asked, pytest.raises(LibraryBrokenError, match="makes no sense"):
        asked.ask("open")


def test_a_range_that_is_longer_than_any_is_the_files_fault() -> None:
    size_bytes = wire.MAX_RANGE_BYTES + 1
    with (
        conversation(wanted(0, size_bytes), source=BytesSource(bytes(size_bytes))) as asked,
        pytest.raises(LibraryBrokenError, match="makes no sense"),
    ):
        asked.ask("open")


def test_what_comes_with_an_answer_is_bounded() -> None:
    said = answer({}) + wire.HEADER.pack(wire.ATTACHMENT, 2**31)
    with conversation(said) as asked:
        asked.ask("open")
        with pytest.raises(LibraryBrokenError, match="makes no sense"):
            asked.receive_attachment()


def test_a_right_answer_is_taken_with_what_comes_with_it() -> None:
    with conversation(answer({"a": 1}) + wire.frame(wire.ATTACHMENT, b"bytes")) as asked:
        assert (asked.version, asked.ask("open")) == ("8", {"a": 1})
        assert asked.receive_attachment() == b"bytes"


def test_what_it_complains_of_is_kept_short_and_printable() -> None:
    with (
        conversation(answer({"error": "\x1b[2J" + "e" * 1000})) as asked,
        pytest.raises(FileRefusedError) as caught,
    ):
        asked.ask("open")
    assert str(caught.value) == "[2J" + "e" * 197
    assert not isinstance(caught.value, LibraryBrokenError)


def test_more_than_the_budget_is_refused() -> None:
    said = wanted(0, 60) + wanted(60, 40) + wanted(100, 1) + answer({"facts": {}})
    with conversation(said) as asked:
        asked.ask("open")
        assert asked.left_bytes == 0


def test_a_source_that_ends_early_is_told_with_the_byte() -> None:
    class Shrunk(BytesSource):
        size_bytes = 1000

    with (
        conversation(wanted(50, 50), source=Shrunk(bytes(70))) as asked,
        pytest.raises(SourceChangedError, match="ends at byte 70, not at 1000"),
    ):
        asked.ask("open")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-signal.SIGXCPU, "more computing time than allowed"),
        (-signal.SIGSEGV, "libav broke on it"),
        (1, "libav broke on it"),
    ],
)
def test_a_child_that_dies_of_the_file_says_why(code: int, words: str) -> None:
    with (
        conversation(b"", code=code) as asked,
        pytest.raises(LibraryBrokenError, match=words),
    ):
        asked.ask("open")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_child_that_was_killed_may_be_tried_again(number: signal.Signals) -> None:
    with (
        conversation(b"", code=-number) as asked,
        pytest.raises(MediaToolError, match="was killed") as caught,
    ):
        asked.ask("open")
    assert caught.value.code == "media_tool_killed"


def test_a_child_that_says_nothing_is_given_up() -> None:
    with (
        conversation(b"", hangs=True) as asked,
        pytest.raises(MediaToolError, match="did not end in time") as caught,
    ):
        asked.ask("open")
    assert caught.value.code == "media_tool_timeout"


def test_a_child_that_always_says_a_little_more_is_given_up() -> None:
    with (
        conversation(wire.HEADER.pack(wire.ANSWER, 1000), drips=True) as asked,
        pytest.raises(MediaToolError, match="did not end in time"),
    ):
        asked.ask("open")


def test_a_real_child_that_computes_too_long_is_stopped_by_its_limit() -> None:
    source = BytesSource(media_files.h264_mp4().read_bytes())
    hurried = replace(LIBAV, limits=replace(LIBAV.limits, cpu_s=1))
    with open_conversation(hurried, source, budget_bytes=2**30) as asked:
        asked.ask("open", format="mov")
        with pytest.raises(LibraryBrokenError, match="computing time"):
            compute_without_end(asked)


def compute_without_end(asked: Conversation) -> None:
    while True:
        for _ in asked.ask("candidates", count=4)["covers_at_s"]:
            asked.receive_attachment()


def test_a_real_child_that_crashes_harms_nobody_else() -> None:
    class Crashing(BytesSource):
        pid = 0

        def read_at(self, offset: int, count: int) -> bytes:
            os.kill(self.pid, signal.SIGSEGV)
            return super().read_at(offset, count)

    source = Crashing(media_files.h264_mp4().read_bytes())
    with Child(LIBAV) as child:
        source.pid = child.pid
        asked = Conversation(child, LIBAV, source, budget_bytes=2**30)
        with pytest.raises(LibraryBrokenError, match="broke on it"):
            asked.ask("open", format="mov")


@pytest.mark.parametrize("error", ["ImportError", "OSError", "RuntimeError"])
def test_a_library_that_cannot_be_loaded_says_why(
    error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"raise {error}('lib.so: not found')\n"
    program = written_library(code, tmp_path, monkeypatch)
    with (
        pytest.raises(LibraryMissingError, match=r"cannot be loaded \(lib\.so: not found\)"),
        open_conversation(program, BytesSource(b""), budget_bytes=0),
    ):
        pass
