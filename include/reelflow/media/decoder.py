"""Asking the decoding child about one source: its facts, then covers, all in one process.

Nothing that the child says is believed: sizes, kinds and values are checked, and a child that says
anything else is taken for one that the file broke.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from reelflow.exceptions import MediaToolError, SourceChangedError
from reelflow.media.child import wire
from reelflow.media.jpeg import read_jpeg_size
from reelflow.media.runner import Child, ChildLimits, decoder_missing
from reelflow.media.source import BytesSource, Source

DEMUXERS: Final[Mapping[str, str]] = {
    "mp4": "mov",
    "mov": "mov",
    "mkv": "matroska",
    "webm": "matroska",
    "avi": "avi",
}
"""libav's demuxer for each container that `sniff` names."""

MAX_SIDE_PX: Final = 640
MAX_COVERS: Final = 8
_HANG_UP_S: Final = 2.0
_LIMIT_SIGNALS: Final = {signal.SIGXCPU: "computing time", signal.SIGXFSZ: "output"}


class UndecodableError(Exception):
    """The file, not the machine, kept the child from answering."""


@dataclass(frozen=True)
class Cover:
    """A JPEG file without metadata, at most `MAX_SIDE_PX` a side.

    :param at_s: the moment it shows, in seconds from the start
    """

    at_s: float
    jpeg: bytes
    width: int
    height: int


class Decoder:
    """One child that has one source open.

    :param budget_bytes: how much of the source it may read, all its work together
    """

    def __init__(
        self, child: Child, source: Source, *, budget_bytes: int, limits: ChildLimits
    ) -> None:
        self._child = child
        self._source = source
        #: How much of the budget is left.
        self.left_bytes = budget_bytes
        self._left_s = limits.wall_clock_s
        started = self._answer()
        if "unusable" in started:
            raise decoder_missing(f"the package av cannot be loaded ({_text(started['unusable'])})")
        self.libav = _text(started.get("libav"))

    def open(self, container: str) -> Any:
        """Let it open the source.

        :return: what it tells about it: not checked yet, see `reelflow.media.probe`
        :raises UndecodableError: libav refuses the file
        """
        size_bytes = self._source.size_bytes
        format_name = DEMUXERS[container]
        return self._ask("open", format=format_name, size_bytes=size_bytes).get("facts")

    def cover(self, at_s: float | None = None) -> Cover:
        """Make the cover: of a moment, or of a good frame.

        :raises UndecodableError: no frame can be decoded
        """
        covers = self._covers(self._ask("cover", at_s=at_s), most=1)
        return covers[0]

    def candidates(self, count: int) -> list[Cover]:
        """Make up to `count` pictures from all over the video, to choose a cover from.

        :raises UndecodableError: no frame can be decoded
        """
        most = min(count, MAX_COVERS)
        return self._covers(self._ask("candidates", count=most), most=most)

    def _covers(self, told: Mapping[str, Any], *, most: int) -> list[Cover]:
        moments_s = told.get("covers_at_s")
        if not isinstance(moments_s, list) or not 1 <= len(moments_s) <= most:
            raise _nonsense()
        covers = []
        for at_s in moments_s:
            jpeg = self._receive(wire.PICTURE, wire.MAX_PICTURE_BYTES)
            size = read_jpeg_size(jpeg)
            is_moment = isinstance(at_s, float) and 0 <= abs(at_s) < 1e9
            if size is None or max(size) > MAX_SIDE_PX or not is_moment:
                raise _nonsense()
            covers.append(Cover(max(0.0, at_s), jpeg, *size))
        return covers

    def _ask(self, question: str, **details: Any) -> Mapping[str, Any]:
        content = json.dumps({"question": question, **details}).encode()
        self._send(wire.frame(wire.QUESTION, content))
        told = self._answer()
        if "error" in told:
            raise UndecodableError(_text(told["error"]) or "it cannot be decoded")
        return told

    def _answer(self) -> Mapping[str, Any]:
        content = self._receive(wire.ANSWER, wire.MAX_ANSWER_BYTES)
        try:
            told = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _nonsense() from error
        if not isinstance(told, dict):
            raise _nonsense()
        return told

    def _receive(self, kind: bytes, max_bytes: int) -> bytes:
        """Wait for a frame of a kind, serving the ranges that are asked for meanwhile."""
        while True:
            got, length = wire.HEADER.unpack(self._read_exactly(wire.HEADER.size))
            if got == wire.RANGE_WANTED and length == wire.RANGE.size:
                self._serve(*wire.RANGE.unpack(self._read_exactly(length)))
            elif got == kind and length <= max_bytes:
                return self._read_exactly(length)
            else:
                raise _nonsense()

    def _serve(self, offset: int, count: int) -> None:
        end = offset + count
        if not 0 < count <= wire.MAX_RANGE_BYTES or end > self._source.size_bytes:
            raise _nonsense()
        if count > self.left_bytes:
            self._send(wire.frame(wire.RANGE_REFUSED))
            return
        self.left_bytes -= count
        data = self._source.read_at(offset, count)
        if len(data) != count:
            raise SourceChangedError(
                f"the file ends at byte {offset + len(data)}, not at {self._source.size_bytes} as "
                "it did at first; put it there again, whole"
            )
        self._send(wire.frame(wire.RANGE_GIVEN, data))

    def _send(self, data: bytes) -> None:
        self._timed(lambda: self._child.socket.sendall(data))

    def _read_exactly(self, count: int) -> bytes:
        parts = []
        while count > 0:
            part = self._timed(lambda wanted=count: self._child.socket.recv(wanted))
            if not part:
                raise self._death()
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _timed(self, step: Any) -> Any:
        """Wait for the child, out of what is left of its time."""
        started = time.monotonic()
        self._child.socket.settimeout(max(self._left_s, 0.001))
        try:
            return step()
        except TimeoutError as error:
            raise MediaToolError(
                "reading the video did not end in time; the machine may be overloaded: "
                "run it again later.",
                code="media_tool_timeout",
            ) from error
        except OSError as error:
            raise self._death() from error
        finally:
            self._left_s -= time.monotonic() - started

    def _death(self) -> Exception:
        code = self._child.wait_code(_HANG_UP_S)
        if code == -signal.SIGKILL:
            return MediaToolError(
                "the process that reads the video was killed, most likely because the machine ran "
                "out of memory; run it again, on a machine with more memory if that repeats.",
                code="media_tool_killed",
            )
        if -code in _LIMIT_SIGNALS:
            limit = _LIMIT_SIGNALS[signal.Signals(-code)]
            return UndecodableError(f"reading it takes more {limit} than allowed")
        return UndecodableError("libav broke on it")


@contextmanager
def open_decoder(
    source: Source, *, budget_bytes: int, limits: ChildLimits | None = None
) -> Iterator[Decoder]:
    """Hold a child for one source.

    :raises MediaToolError: none could be started, or none can work here (code `DECODER_MISSING`)
    """
    limits = limits or ChildLimits()
    with Child(limits) as child:
        yield Decoder(child, source, budget_bytes=budget_bytes, limits=limits)


def libav_version() -> str:
    """Start a child and give the version of the libav it has loaded.

    :raises MediaToolError: it cannot be started, or cannot load libav
    """
    limits = ChildLimits()
    with Child(limits) as child:
        return Decoder(child, BytesSource(b""), budget_bytes=0, limits=limits).libav


def _nonsense() -> UndecodableError:
    return UndecodableError("libav's process gave an answer that makes no sense")


def _text(value: Any) -> str:
    """Keep short printable text only: it may quote the file."""
    return "".join(char for char in str(value) if char.isprintable())[:200].strip()
