"""The parent's side: no word of a child is believed."""

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from reelflow.exceptions import MediaToolError, SourceChangedError
from reelflow.media.child import wire
from reelflow.media.decoder import Decoder, UndecodableError, libav_version, open_decoder
from reelflow.media.runner import Child, ChildLimits
from reelflow.media.source import BytesSource, Source
from tests import media_files

Play = Callable[[socket.socket], None]
READY = wire.frame(wire.ANSWER, b'{"libav": "8"}')
PICTURE = b"\xff\xd8\xff\xc0\0\x0b\x08\0\x10\0\x20\1\1\x11\0\xff\xda\0\0\xff\xd9"


class BadChild(Child):
    """A child that the file has taken over: it says what a test wants it to."""

    def __init__(self, ours: socket.socket, code: int = 0) -> None:
        self.socket = ours
        self._code = code

    def wait_code(self, timeout_s: float) -> int:
        return self._code


@contextmanager
def decoder(
    said: bytes, *, source: Source | None = None, code: int = 0, hangs: bool = False
) -> Iterator[Decoder]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer = threading.Thread(target=say, args=(theirs, READY + said, hangs))
        writer.start()
        limits = ChildLimits(wall_clock_s=0.2 if hangs else 20)
        source = source or BytesSource(bytes(1000))
        try:
            child = BadChild(ours, code)
            yield Decoder(child, source, budget_bytes=100, limits=limits)
        finally:
            ours.close()
            writer.join()


def say(theirs: socket.socket, said: bytes, hangs: bool) -> None:
    try:
        theirs.sendall(said)
        if not hangs:
            theirs.shutdown(socket.SHUT_WR)
    except OSError:
        return


def answer(content: Any) -> bytes:
    return wire.frame(wire.ANSWER, json.dumps(content).encode())


def wanted(offset: int, count: int) -> bytes:
    return wire.frame(wire.RANGE_WANTED, wire.RANGE.pack(offset, count))


@pytest.mark.parametrize(
    "said",
    [
        b"garbage of no kind",
        wire.frame(wire.ANSWER, b"no JSON"),
        wire.frame(wire.ANSWER, b"[" * 16000),
        wire.frame(wire.ANSWER, b"[1]"),
        wire.HEADER.pack(wire.ANSWER, 2**31),
        wire.frame(wire.PICTURE, PICTURE),
        answer({}),
        answer({"covers_at_s": []}),
        answer({"covers_at_s": [1.0, 2.0]}),
        answer({"covers_at_s": 7}),
        answer({"covers_at_s": [1.0]}) + wire.frame(wire.PICTURE, b"no picture"),
        answer({"covers_at_s": [1.0]}) + wire.HEADER.pack(wire.PICTURE, 2**31),
        answer({"covers_at_s": ["1"]}) + wire.frame(wire.PICTURE, PICTURE),
        answer({"covers_at_s": [float("nan")]}) + wire.frame(wire.PICTURE, PICTURE),
        answer({"covers_at_s": [1.0]})
        + wire.frame(wire.PICTURE, PICTURE.replace(b"\x10\0\x20", b"\x10\x10\x20")),
        wanted(990, 20),
        wanted(2**63, 1),
        wanted(0, 0),
        wanted(0, wire.MAX_RANGE_BYTES + 1),
        wire.HEADER.pack(wire.RANGE_WANTED, 1) + b"x",
    ],
)
def test_nonsense_is_the_files_fault(said: bytes) -> None:
    with decoder(said) as asked, pytest.raises(UndecodableError, match="makes no sense"):
        asked.cover()


def test_a_right_answer_is_taken() -> None:
    said = answer({"covers_at_s": [-0.5]}) + wire.frame(wire.PICTURE, PICTURE)
    with decoder(said) as asked:
        cover = asked.cover()
    assert (cover.at_s, cover.width, cover.height, cover.jpeg) == (0.0, 32, 16, PICTURE)


def test_what_it_complains_of_is_kept_short_and_printable() -> None:
    with (
        decoder(answer({"error": "\x1b[2J" + "e" * 1000})) as asked,
        pytest.raises(UndecodableError) as caught,
    ):
        asked.open("mp4")
    assert str(caught.value) == "[2J" + "e" * 197


def test_more_than_the_budget_is_refused() -> None:
    said = wanted(0, 60) + wanted(60, 40) + wanted(100, 1) + answer({"facts": {}})
    with decoder(said) as asked:
        asked.open("mp4")
        assert asked.left_bytes == 0


def test_a_source_that_ends_early_is_told_with_the_byte() -> None:
    class Shrunk(BytesSource):
        size_bytes = 1000

    with (
        decoder(wanted(50, 50), source=Shrunk(bytes(70))) as asked,
        pytest.raises(SourceChangedError, match="ends at byte 70, not at 1000"),
    ):
        asked.open("mp4")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-signal.SIGXCPU, "more computing time than allowed"),
        (-signal.SIGSEGV, "libav broke on it"),
        (1, "libav broke on it"),
    ],
)
def test_a_child_that_dies_of_the_file_says_why(code: int, words: str) -> None:
    with decoder(b"", code=code) as asked, pytest.raises(UndecodableError, match=words):
        asked.open("mp4")


def test_a_child_that_was_killed_may_be_tried_again() -> None:
    with (
        decoder(b"", code=-signal.SIGKILL) as asked,
        pytest.raises(MediaToolError, match="was killed") as caught,
    ):
        asked.open("mp4")
    assert caught.value.code == "media_tool_killed"


def test_a_child_that_says_nothing_is_given_up() -> None:
    with (
        decoder(b"", hangs=True) as asked,
        pytest.raises(MediaToolError, match="did not end in time") as caught,
    ):
        asked.open("mp4")
    assert caught.value.code == "media_tool_timeout"


def test_a_real_child_that_computes_too_long_is_stopped_by_its_limit() -> None:
    source = BytesSource(media_files.h264_mp4().read_bytes())
    limits = ChildLimits(cpu_s=1)
    with open_decoder(source, budget_bytes=2**30, limits=limits) as asked:
        asked.open("mp4")
        with pytest.raises(UndecodableError, match="computing time"):
            compute_without_end(asked)


def compute_without_end(asked: Decoder) -> None:
    while True:
        asked.candidates(4)


def test_a_real_child_that_crashes_harms_nobody_else() -> None:
    class Crashing(BytesSource):
        pid = 0

        def read_at(self, offset: int, count: int) -> bytes:
            os.kill(self.pid, signal.SIGSEGV)
            return super().read_at(offset, count)

    source = Crashing(media_files.h264_mp4().read_bytes())
    with Child(ChildLimits()) as child:
        source.pid = child.pid
        asked = Decoder(child, source, budget_bytes=2**30, limits=ChildLimits())
        with pytest.raises(UndecodableError, match="broke on it"):
            asked.open("mp4")


def test_the_version_is_libavs() -> None:
    assert libav_version().startswith("8.")
