from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.upload_session import (
    CHUNK_DEFAULT_BYTES,
    CHUNK_MAX_BYTES,
    CHUNK_MIN_BYTES,
    CHUNKS_MAX,
    ENDED,
    TRANSITIONS,
    SessionState,
    UploadPlan,
    check_transition,
    plan_upload,
    ranges,
)
from reelflow.exceptions import IllegalTransitionError, TerminalError

LARGEST = CHUNK_MAX_BYTES * CHUNKS_MAX
SIZES = st.integers(1, LARGEST) | st.sampled_from(
    [1, CHUNK_MIN_BYTES, CHUNK_MIN_BYTES * CHUNKS_MAX, CHUNK_DEFAULT_BYTES * CHUNKS_MAX, LARGEST]
).flatmap(lambda size: st.integers(max(1, size - 2), min(LARGEST, size + 2)))
WISHES = st.none() | st.integers(-1, LARGEST)
SMALL = st.integers(1, 40 * CHUNK_MAX_BYTES)


@given(SIZES, WISHES)
def test_every_file_is_cut_within_the_limits(size_bytes: int, wished: int | None) -> None:
    plan = plan_upload(size_bytes, wished)
    assert CHUNK_MIN_BYTES <= plan.chunk_size_bytes <= CHUNK_MAX_BYTES
    assert 1 <= plan.total_chunks <= CHUNKS_MAX
    last = plan.size_of_chunk(plan.total_chunks - 1)
    assert 1 <= last <= plan.chunk_size_bytes
    assert plan.offset_of_chunk(plan.total_chunks - 1) + last == size_bytes


@given(SMALL, WISHES)
def test_the_chunks_follow_each_other_without_a_gap(size_bytes: int, wished: int | None) -> None:
    plan = plan_upload(size_bytes, wished)
    starts = [plan.offset_of_chunk(index) for index in range(plan.total_chunks)]
    sizes = [plan.size_of_chunk(index) for index in range(plan.total_chunks)]
    assert starts[0] == 0
    assert [start + size for start, size in zip(starts, sizes, strict=True)] == [
        *starts[1:],
        size_bytes,
    ]
    assert sum(sizes) == plan.bytes_of(range(plan.total_chunks)) == size_bytes


def test_a_wish_within_the_limits_is_granted() -> None:
    assert plan_upload(10**9, CHUNK_MIN_BYTES).chunk_size_bytes == CHUNK_MIN_BYTES
    assert plan_upload(10**9, 20_000_000).chunk_size_bytes == 20_000_000
    assert plan_upload(10**9).chunk_size_bytes == CHUNK_DEFAULT_BYTES
    assert plan_upload(10**9, 1).chunk_size_bytes == CHUNK_MIN_BYTES
    assert plan_upload(10**9, 10**9).chunk_size_bytes == CHUNK_MAX_BYTES


def test_a_file_too_large_for_so_small_chunks_gets_larger_ones() -> None:
    plan = plan_upload(CHUNK_MIN_BYTES * CHUNKS_MAX + 1, CHUNK_MIN_BYTES)
    assert (plan.chunk_size_bytes, plan.total_chunks) == (CHUNK_MIN_BYTES + 1, CHUNKS_MAX)


@pytest.mark.parametrize("size_bytes", [-1, 0, LARGEST + 1])
def test_a_file_that_cannot_be_cut_is_refused(size_bytes: int) -> None:
    with pytest.raises(TerminalError) as refused:
        plan_upload(size_bytes)
    assert refused.value.code == "file_size"


@pytest.mark.parametrize("numbers", [(10, 3, 3), (10, 3, 5), (0, 1, 0), (1, 0, 1), (10, 10, 2)])
def test_numbers_that_do_not_fit_are_no_plan(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"does not cover|has no bytes"):
        UploadPlan(*numbers)


@pytest.mark.parametrize("index", [-1, 4])
def test_there_is_no_chunk_beyond_the_last(index: int) -> None:
    with pytest.raises(ValueError, match=r"does not lie in 0\.\.3"):
        UploadPlan(10, 3, 4).size_of_chunk(index)


@given(st.sets(st.integers(0, 60)))
def test_ranges_name_every_number_once_and_as_shortly_as_can_be(indices: set[int]) -> None:
    found = ranges(indices)
    named = [index for first, last in found for index in range(first, last + 1)]
    assert named == sorted(indices)
    assert all(first[1] + 1 < second[0] for first, second in pairwise(found))


@given(st.sets(st.integers(0, 9)))
def test_what_is_missing_is_what_was_not_received(received: set[int]) -> None:
    plan = UploadPlan(98, 10, 10)
    missing = plan.missing(received)
    assert sorted([*missing, *received]) == list(range(10))
    assert plan.bytes_of(received) + plan.bytes_of(missing) == 98


@pytest.mark.parametrize("current", SessionState)
@pytest.mark.parametrize("target", SessionState)
def test_no_step_is_taken_that_the_table_does_not_have(
    current: SessionState, target: SessionState
) -> None:
    if target in TRANSITIONS[current]:
        check_transition(current, target)
        return
    with pytest.raises(IllegalTransitionError) as refused:
        check_transition(current, target)
    assert refused.value.code == "upload_state"


def test_nothing_leaves_an_end_and_every_other_state_can_end() -> None:
    for state in SessionState:
        assert (TRANSITIONS[state] == frozenset()) == (state in ENDED)
        assert state in ENDED or TRANSITIONS[state] & ENDED
