import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.sandbox.inside.range_file import BLOCK_BYTES, RangeFile

SIZE = 2 * BLOCK_BYTES + 1000
CONTENT = os.urandom(SIZE)


class Asked:
    """The other side: gives ranges, and remembers them."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def __call__(self, offset: int, count: int) -> bytes:
        self.ranges.append((offset, count))
        return CONTENT[offset : offset + count]


@given(st.lists(st.tuples(st.integers(0, SIZE + 10), st.integers(1, SIZE)), max_size=10))
def test_it_reads_what_a_file_would(places: list[tuple[int, int]]) -> None:
    ours, theirs = RangeFile(Asked(), SIZE), io.BytesIO(CONTENT)
    for offset, count in places:
        assert ours.seek(offset) == theirs.seek(offset)
        expected, got = theirs.read(count), b""
        while part := ours.read(count - len(got)):
            got += part
        assert got == expected
        assert ours.tell() == max(offset, theirs.tell())


def test_going_back_asks_nothing_again() -> None:
    asked = Asked()
    file = RangeFile(asked, SIZE)
    for offset in (10, 0, 500, BLOCK_BYTES, 3):
        file.seek(offset)
        file.read(100)
    assert asked.ranges == [(0, BLOCK_BYTES), (BLOCK_BYTES, BLOCK_BYTES)]


def test_only_the_latest_blocks_are_kept() -> None:
    asked: list[int] = []

    def ask(offset: int, count: int) -> bytes:
        asked.append(offset // BLOCK_BYTES)
        return bytes(count)

    file = RangeFile(ask, 40 * BLOCK_BYTES)
    for block in (*range(32), 0, 32, 0, 1):
        file.seek(block * BLOCK_BYTES)
        file.read(1)
    assert asked == [*range(33), 1]


def test_the_last_block_ends_with_the_file() -> None:
    asked = Asked()
    file = RangeFile(asked, SIZE)
    assert file.seek(-1, os.SEEK_END) == SIZE - 1
    assert file.read(10) == CONTENT[-1:]
    assert asked.ranges == [(2 * BLOCK_BYTES, 1000)]
    assert file.seek(-2, os.SEEK_CUR) == SIZE - 2
    with pytest.raises(ValueError, match="before the first byte"):
        file.seek(-1)


def test_one_piece_of_work_reads_no_more_than_it_may() -> None:
    file = RangeFile(Asked(), SIZE)
    file.allow(BLOCK_BYTES)
    assert file.read(10)
    file.seek(BLOCK_BYTES)
    with pytest.raises(OSError, match="more of the file than allowed"):
        file.read(10)
    file.allow(BLOCK_BYTES)
    assert file.read(10)
