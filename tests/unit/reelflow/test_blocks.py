"""A whole source is given in one pass, of bounded memory, or said to have changed."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.blocks import blocks_of
from reelflow.exceptions import SourceChangedError
from reelflow.source import BytesSource, RangeStream
from tests.far_source import FarSource


@given(content=st.binary(max_size=100), block_bytes=st.integers(1, 120), is_far=st.booleans())
def test_the_blocks_are_the_whole_in_order(content: bytes, block_bytes: int, is_far: bool) -> None:
    source = FarSource(content, most=7) if is_far else BytesSource(content)
    blocks = [bytes(block) for block in blocks_of(source, block_bytes=block_bytes)]
    assert b"".join(blocks) == content
    assert all(0 < len(block) <= block_bytes for block in blocks)


def test_a_stream_is_closed_by_whoever_stops_early() -> None:
    source = FarSource(b"0123456789", most=3)
    blocks = blocks_of(source, block_bytes=4)
    assert bytes(next(blocks)) == b"012"
    del blocks
    assert (source.streams, source.closed) == ([(0, 10)], 1)


class CutFile(BytesSource):
    """Ends before its size."""

    size_bytes = 10


class CutStream(CutFile):
    """The same far away."""

    def stream_at(self, offset: int, count: int) -> RangeStream:
        return io.BytesIO(self.read_at(offset, count))


@pytest.mark.parametrize("kind", [CutFile, CutStream])
def test_a_source_that_ends_early_has_changed(kind: type[BytesSource]) -> None:
    with pytest.raises(SourceChangedError, match="ends at byte 6, but had 10"):
        list(blocks_of(kind(b"012345"), block_bytes=4))
