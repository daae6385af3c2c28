from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.types import Message

from reelflow.api.held_file import HeldFileResponse
from reelflow.domain.chunks import ByteRange
from reelflow.exceptions import SourceChangedError
from reelflow.source import FileSource

CONTENT = os.urandom(600_000)


class Reader:
    """Asks for a part of a file, and may go away while it is sent."""

    def __init__(self, path: Path, part: ByteRange | None) -> None:
        self.fd = os.open(path, os.O_RDONLY)
        held = ExitStack()
        held.callback(os.close, self.fd)
        length = str(part.length if part else len(CONTENT))
        self.response = HeldFileResponse(
            FileSource(self.fd),
            part,
            held=held,
            status_code=200,
            headers={"Content-Length": length},
        )
        self.blocks: list[bytes] = []
        self.on_block: Callable[[], None] = lambda: None
        self._gone = asyncio.Event()

    def go_away(self) -> None:
        self._gone.set()

    def read(self) -> bytes:
        asyncio.run(self._call())
        return b"".join(self.blocks)

    async def _call(self) -> None:
        async def receive() -> Message:
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message.get("body"):
                self.blocks.append(message["body"])
                self.on_block()
                await asyncio.sleep(0)

        await self.response({"type": "http", "method": "GET"}, receive, send)

    @property
    def is_closed(self) -> bool:
        try:
            os.fstat(self.fd)
        except OSError:
            return True
        return False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize(
    ("first", "last"), [(0, 599_999), (0, 0), (599_999, 599_999), (262_143, 262_145)]
)
def test_the_wanted_bytes_are_sent_in_small_blocks_and_the_file_is_let_go(
    path: Path, first: int, last: int
) -> None:
    reader = Reader(path, ByteRange(first, last, len(CONTENT)))
    assert reader.read() == CONTENT[first : last + 1]
    assert max(map(len, reader.blocks)) <= 256 * 1024
    assert reader.is_closed


def test_after_head_nothing_is_sent_and_the_file_is_let_go(path: Path) -> None:
    reader = Reader(path, None)
    assert reader.read() == b""
    assert reader.is_closed


def test_a_reader_who_goes_away_gets_no_more_and_the_file_is_let_go(path: Path) -> None:
    reader = Reader(path, ByteRange(0, len(CONTENT) - 1, len(CONTENT)))
    reader.on_block = reader.go_away
    assert len(reader.read()) < len(CONTENT)
    assert reader.is_closed


def test_a_file_that_shrinks_while_it_is_sent_is_never_taken_for_whole(path: Path) -> None:
    reader = Reader(path, ByteRange(0, len(CONTENT) - 1, len(CONTENT)))
    reader.on_block = lambda: os.truncate(path, 1000)
    with pytest.raises(SourceChangedError, match=r"then 1000\)"):
        reader.read()
    assert reader.is_closed
