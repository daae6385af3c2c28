import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reelflow.domain.chunks import ByteRange, ChunkPlan, plan_chunks
from reelflow.exceptions import TerminalError

GIB = 1024**3
SIZES = st.one_of(
    st.integers(1, 4 * GIB),
    st.integers(1, 2**24),
    st.integers(60_000_000, 140_000_000),
    st.builds(lambda n, d: n * 32_000_000 + d, st.integers(1, 134), st.integers(-2, 2)).filter(
        lambda size: size <= 4 * GIB
    ),
)


def assert_tiktok_accepts(size: int, chunk: int, lengths: list[int], mb: int) -> None:
    """The rules as TikTok's page and the observed refusals state them, for one size of a MB."""
    count = len(lengths)
    assert count == size // chunk
    assert 1 <= count <= 1000
    assert sum(lengths) == size
    assert all(length == chunk for length in lengths[:-1])
    assert lengths[-1] >= min(chunk, size)
    if count == 1:
        assert chunk == size
        assert size <= 64 * mb
    else:
        assert 5 * mb <= chunk <= 64 * mb
        assert lengths[-1] <= 128 * mb
    if size < 5 * mb:
        assert count == 1
    if size > 64 * mb:
        assert count >= 2


@pytest.mark.parametrize("mb", [10**6, 2**20])
@given(size=SIZES)
@example(size=64_000_000)
@example(size=64_000_001)
@example(size=64 * 2**20)
@example(size=64 * 2**20 + 1)
@example(size=128_000_000)
@example(size=4 * GIB)
def test_every_size_up_to_4_gib_gets_a_plan_that_tiktok_accepts(mb: int, size: int) -> None:
    plan = plan_chunks(size)
    lengths = [byte_range.length for byte_range in plan.ranges()]
    assert plan.size_bytes == size
    assert plan.total_chunks == len(lengths)
    assert_tiktok_accepts(size, plan.chunk_size_bytes, lengths, mb)


@given(size=SIZES, chunk=st.integers(5_242_880, 32_000_000))
def test_every_chunk_size_that_may_be_set_gives_plans_that_tiktok_accepts(
    size: int, chunk: int
) -> None:
    plan = plan_chunks(size, chunk_bytes=chunk)
    lengths = [byte_range.length for byte_range in plan.ranges()]
    for mb in (10**6, 2**20):
        assert_tiktok_accepts(size, plan.chunk_size_bytes, lengths, mb)


@pytest.mark.parametrize(
    ("size", "chunk", "count", "last"),
    [
        (1, 1, 1, 1),
        (4_194_304, 4_194_304, 1, 4_194_304),
        (5_242_880, 5_242_880, 1, 5_242_880),
        (64_000_000, 64_000_000, 1, 64_000_000),
        (64_000_001, 32_000_000, 2, 32_000_001),
        (66_259_900, 32_000_000, 2, 34_259_900),
        (95_999_999, 32_000_000, 2, 63_999_999),
        (96_000_000, 32_000_000, 3, 32_000_000),
        (158_008_374, 32_000_000, 4, 62_008_374),
        (4_294_967_296, 32_000_000, 134, 38_967_296),
    ],
)
def test_the_plan_of_a_known_size_is_the_known_one(
    size: int, chunk: int, count: int, last: int
) -> None:
    plan = plan_chunks(size)
    assert plan == ChunkPlan(size, chunk, count)
    assert list(plan.ranges())[-1].length == last


def test_the_ranges_of_tiktoks_own_example_are_the_documented_ones() -> None:
    ranges = list(ChunkPlan(50_000_123, 10_000_000, 5).ranges())
    assert ranges[0].content_range == "bytes 0-9999999/50000123"
    assert ranges[-1].content_range == "bytes 40000000-50000122/50000123"
    assert ranges[-1].length == 10_000_123


@given(size=SIZES, data=st.data())
def test_an_upload_that_goes_on_anywhere_sends_the_rest_exactly_once(
    size: int, data: st.DataObject
) -> None:
    plan = plan_chunks(size)
    boundaries = {byte_range.first for byte_range in plan.ranges()}
    offset = start = data.draw(st.integers(0, size - 1))
    sent = 0
    while offset < size:
        byte_range = plan.range_at(offset)
        assert byte_range.first == offset
        assert byte_range.last + 1 in boundaries | {size}
        assert plan.is_last(byte_range) == (byte_range.last == size - 1)
        sent += byte_range.length
        offset = byte_range.last + 1
    assert sent == size - start


def test_of_all_chunks_only_the_last_is_the_last() -> None:
    plan = plan_chunks(100_000_000)
    ranges = list(plan.ranges())
    assert [plan.is_last(byte_range) for byte_range in ranges] == [False, False, True]


@pytest.mark.parametrize("offset", [-1, 100, 101])
def test_an_offset_outside_of_the_video_has_no_next_range(offset: int) -> None:
    with pytest.raises(ValueError, match=rf"offset {offset} "):
        plan_chunks(100).range_at(offset)


def test_a_range_of_another_file_is_refused() -> None:
    plan, foreign = plan_chunks(100), ByteRange(0, 98, 99)
    with pytest.raises(ValueError, match="99 bytes is asked of a plan for 100"):
        plan.is_last(foreign)


@pytest.mark.parametrize("size", [0, -1, 4 * GIB + 1])
def test_a_size_that_tiktok_does_not_take_is_refused_with_the_size(size: int) -> None:
    with pytest.raises(TerminalError, match=rf"has {size} bytes") as caught:
        plan_chunks(size)
    assert caught.value.code == "video_size"
    assert caught.value.context == {"size_bytes": size}


@pytest.mark.parametrize(
    "limits",
    [
        {"whole_max_bytes": 64_000_001},
        {"chunk_bytes": 5_242_879},
        {"chunk_bytes": 32_000_001},
        {"whole_max_bytes": 50_000_000, "chunk_bytes": 25_000_001},
        {"max_bytes": 33_000_000_000},
    ],
)
def test_limits_that_allow_refused_plans_are_themselves_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"\d"):
        plan_chunks(1, **limits)


@pytest.mark.parametrize(
    ("size", "chunk", "count"),
    [
        (50_000_123, 10_000_000, 6),
        (121_000_000, 64_000_000, 1),
        (7_340_032, 10_485_760, 1),
        (64_000_001, 64_000_000, 1),
        (0, 1, 0),
        (10, 0, 0),
    ],
)
def test_a_cut_that_does_not_add_up_is_no_plan(size: int, chunk: int, count: int) -> None:
    with pytest.raises(ValueError, match="no cut"):
        ChunkPlan(size, chunk, count)


@pytest.mark.parametrize(("first", "last", "total"), [(-1, 0, 1), (1, 0, 2), (0, 2, 2)])
def test_a_range_outside_of_its_file_is_no_range(first: int, last: int, total: int) -> None:
    with pytest.raises(ValueError, match=f"{first}-{last}"):
        ByteRange(first, last, total)
