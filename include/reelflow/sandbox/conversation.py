"""Talking to a child about one file: asking it questions, and reading the file for it meanwhile.

Nothing that the child says is believed: lengths and kinds are checked, and a child that says
anything else is taken for one that the file broke.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from reelflow.domain.printable import printable
from reelflow.exceptions import MediaToolError, SourceChangedError
from reelflow.json_text import read_json_object
from reelflow.sandbox import wire
from reelflow.sandbox.child import Child
from reelflow.sandbox.program import LibraryMissingError, Program
from reelflow.source import Source

_HANG_UP_S: Final = 2.0
#: What the system or a person sends; a file makes no library send these.
_KILLED_BY: Final = frozenset(
    -number
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
)
_LIMIT_SIGNALS: Final = {signal.SIGXCPU: "computing time", signal.SIGXFSZ: "output"}


class FileRefusedError(Exception):
    """The file, not the machine, kept the library from answering: it says why."""


class LibraryBrokenError(FileRefusedError):
    """The file broke the library: it crashed, used all it may use, or talks nonsense."""


class Conversation:
    """One child that one source is read for.

    :param budget_bytes: how much of the source it may read, all its work together
    :raises LibraryMissingError: the child cannot load what it needs
    :raises MediaToolError: it was killed or said nothing in time
    """

    def __init__(
        self, child: Child, program: Program, source: Source, *, budget_bytes: int
    ) -> None:
        self._child = child
        self._program = program
        self._source = source
        #: How much of the budget is left.
        self.left_bytes = budget_bytes
        self._left_s = program.limits.wall_clock_s
        started = self._answer()
        if "unusable" in started:
            raise LibraryMissingError(f"it cannot be loaded ({_text(started['unusable'])})")
        #: Which version of the library the child has loaded.
        self.version = _text(started.get("version"))

    def ask(self, question: str, **details: Any) -> Mapping[str, Any]:
        """Ask a question about the file, whose size goes with it.

        :param details: JSON-safe
        :return: what the child answers: not checked yet
        :raises FileRefusedError: the library refuses the file, or broke on it
        :raises MediaToolError: it was killed or did not end in time; trying again may work
        """
        asked = {"question": question, "size_bytes": self._source.size_bytes, **details}
        self._send(wire.frame(wire.QUESTION, json.dumps(asked).encode()))
        told = self._answer()
        if "error" in told:
            raise FileRefusedError(_text(told["error"]) or "it cannot be decoded")
        return told

    def receive_attachment(self) -> bytes:
        """Wait for the next bytes that came with an answer; raises as :meth:`ask` does."""
        return self._receive(wire.ATTACHMENT, wire.MAX_ATTACHMENT_BYTES)

    def nonsense(self) -> LibraryBrokenError:
        """Build the error that says that an answer is none."""
        return LibraryBrokenError(
            f"{self._program.library}'s process gave an answer that makes no sense"
        )

    def _answer(self) -> Mapping[str, Any]:
        content = self._receive(wire.ANSWER, self._program.max_answer_bytes)
        told = read_json_object(content)
        if told is None:
            raise self.nonsense()
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
                raise self.nonsense()

    def _serve(self, offset: int, count: int) -> None:
        end = offset + count
        if not 0 < count <= wire.MAX_RANGE_BYTES or end > self._source.size_bytes:
            raise self.nonsense()
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
                f"{self._program.library} did not end in time; the machine may be overloaded: "
                "run it again later.",
                code="media_tool_timeout",
            ) from error
        except OSError as error:
            raise self._death() from error
        finally:
            self._left_s -= time.monotonic() - started

    def _death(self) -> Exception:
        code = self._child.wait_code(_HANG_UP_S)
        if code in _KILLED_BY:
            return MediaToolError(
                f"{self._program.library}'s process was killed, most likely because the machine "
                "ran out of memory; run it again, on a machine with more memory if that repeats.",
                code="media_tool_killed",
            )
        if -code in _LIMIT_SIGNALS:
            limit = _LIMIT_SIGNALS[signal.Signals(-code)]
            return LibraryBrokenError(f"reading it takes more {limit} than allowed")
        return LibraryBrokenError(f"{self._program.library} broke on it")


@contextmanager
def open_conversation(
    program: Program, source: Source, *, budget_bytes: int
) -> Iterator[Conversation]:
    """Hold a child for one source.

    :raises LibraryMissingError: what it runs is not installed, or cannot be loaded
    :raises MediaToolError: no child could be started, it was killed, or said nothing in time
    """
    with Child(program) as child:
        yield Conversation(child, program, source, budget_bytes=budget_bytes)


def _text(value: Any) -> str:
    return printable(str(value), wire.MAX_ERROR_CHARS)  # it may quote the file
