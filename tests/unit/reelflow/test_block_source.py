"""Reads through blocks give the same bytes by far fewer reads, without reading all of a file."""

import struct
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from reelflow.block_source import BLOCK_MAX_BYTES, FIRST_BLOCK_BYTES, BlockSource
from reelflow.source import BytesSource

CONTENT = b"".join(struct.pack(">I", number) for number in range(300_000))


class Counted(BytesSource):
    """Bytes in memory that count what is read of them."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.reads: list[int] = []

    def read_at(self, offset: int, count: int) -> bytes:
        piece = super().read_at(offset, count)
        self.reads.append(len(piece))
        return piece


places = st.integers(0, len(CONTENT) + 10) | st.integers(0, 40_000)
counts = st.integers(0, 40) | st.integers(0, len(CONTENT)) | st.just(BLOCK_MAX_BYTES)


@given(wanted=st.lists(st.tuples(places, counts), max_size=30))
def test_any_reads_give_the_bytes_of_the_source(wanted: list[tuple[int, int]]) -> None:
    source = BlockSource(BytesSource(CONTENT))
    for offset, count in wanted:
        assert source.read_at(offset, count) == CONTENT[offset : offset + count]


@given(st.binary(max_size=50), st.integers(0, 60), st.integers(0, 60))
def test_short_sources_end_where_they_end(content: bytes, offset: int, count: int) -> None:
    source = BlockSource(BytesSource(content))
    assert source.read_at(offset, count) == content[offset : offset + count]


def test_size_and_identity_are_those_of_the_source() -> None:
    inner = BytesSource(CONTENT)
    source = BlockSource(inner)
    assert (source.size_bytes, source.identity) == (inner.size_bytes, inner.identity)


def test_a_file_of_tiny_parts_takes_few_reads() -> None:
    inner = Counted(CONTENT)
    source = BlockSource(inner)
    for offset in range(0, len(CONTENT), 8):
        assert len(source.read_at(offset, 16)) >= 8
    assert len(inner.reads) <= 3 + len(CONTENT) // BLOCK_MAX_BYTES + 1
    assert sum(inner.reads) <= len(CONTENT) + 16 * len(inner.reads)


def test_parts_that_follow_at_a_distance_are_read_together() -> None:
    inner = Counted(CONTENT)
    source = BlockSource(inner)
    for offset in range(0, len(CONTENT), 8204):
        source.read_at(offset, 8)
    assert len(inner.reads) <= 3 + len(CONTENT) // BLOCK_MAX_BYTES + 1


def test_of_parts_far_apart_little_between_them_is_read() -> None:
    inner = Counted(CONTENT)
    source = BlockSource(inner)
    stride = 3 * FIRST_BLOCK_BYTES
    for offset in range(0, len(CONTENT), stride):
        source.read_at(offset, 16)
    assert sum(inner.reads) <= len(CONTENT) // 3 + FIRST_BLOCK_BYTES


def test_going_back_and_forth_between_a_few_places_reads_each_once() -> None:
    inner = Counted(CONTENT)
    source = BlockSource(inner)
    for _ in range(100):
        for offset in (0, 400_000, 800_000):
            source.read_at(offset, 100)
    assert len(inner.reads) == 3


def test_a_large_read_is_one_read_of_the_source() -> None:
    inner = Counted(CONTENT)
    source = BlockSource(inner)
    assert source.read_at(5, BLOCK_MAX_BYTES + 1) == CONTENT[5 : 6 + BLOCK_MAX_BYTES]
    assert inner.reads == [BLOCK_MAX_BYTES + 1]


def test_nothing_is_asked_for_behind_the_end() -> None:
    inner = Counted(b"abc")
    assert BlockSource(inner).read_at(3, 10) == b""
    assert inner.reads == []


def test_threads_may_read_at_once() -> None:
    source = BlockSource(BytesSource(CONTENT))
    offsets = [number * 7919 % len(CONTENT) for number in range(2000)]
    with ThreadPoolExecutor(8) as pool:
        pieces = list(pool.map(lambda offset: source.read_at(offset, 50), offsets))
    assert pieces == [CONTENT[offset : offset + 50] for offset in offsets]
