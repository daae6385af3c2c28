import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.chunks import ByteRange, plan_chunks
from reelflow.exceptions import (
    ReelflowError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
)
from reelflow.tiktok import chunk_put
from reelflow.tiktok.answers import Answer
from reelflow.tiktok.models import ChunkAnswer, ChunkOutcome

CHUNK = ByteRange(10_000_000, 19_999_999, 50_000_123)


def test_a_chunk_carries_the_documented_headers_and_no_authorization() -> None:
    headers = chunk_put.prepare_chunk(CHUNK, "video/mp4")
    assert headers == {
        "Content-Type": "video/mp4",
        "Content-Length": "10000000",
        "Content-Range": "bytes 10000000-19999999/50000123",
        "Accept-Encoding": "identity",
    }


def test_a_chunk_of_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match="video/x-matroska"):
        chunk_put.prepare_chunk(CHUNK, "video/x-matroska")


@pytest.mark.parametrize("outcome", list(ChunkOutcome))
def test_each_documented_status_of_a_chunk_is_an_outcome(outcome: ChunkOutcome) -> None:
    answer = Answer(outcome.value, {"content-range": "bytes 0-20000000/50000123"})
    expected = ChunkAnswer(outcome, (20_000_000, 20_000_001))
    assert chunk_put.parse_chunk(answer, CHUNK) == expected


@given(index=st.integers(0, 133))
def test_exactly_one_reading_of_the_progress_lies_on_the_boundary_that_was_reached(
    index: int,
) -> None:
    plan = plan_chunks(4 * 1024**3)
    sent = plan.range_at(index * plan.chunk_size_bytes)
    ends = {byte_range.last + 1 for byte_range in plan.ranges()}
    for number in (sent.last, sent.last + 1):  # as an index, as a count
        header = {"Content-Range": f"bytes 0-{number}/{plan.size_bytes}"}
        held = chunk_put.parse_chunk(Answer(206, header), sent).held_bytes
        assert [reading for reading in held if reading in ends] == [sent.last + 1]


@pytest.mark.parametrize(
    "value",
    ["", "bytes */50000123", "bytes 0-1/2", "bytes 5-9/50000123", "bytes 0-x/50000123",
     "bytes 0--1/50000123", "bytes 0-99999999/50000123", "bytes 0-٣/50000123"],
)  # fmt: skip
def test_a_progress_header_that_makes_no_sense_proves_nothing(value: str) -> None:
    answer = Answer(416, {"Content-Range": value})
    assert chunk_put.parse_chunk(answer, CHUNK) == ChunkAnswer(ChunkOutcome.MISMATCH, ())


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, TikTokRejectedError),
        (401, TikTokRejectedError),
        (302, TikTokRejectedError),
        (408, TikTokUnavailableError),
        (429, TikTokRateLimitedError),
        (500, TikTokUnavailableError),
        (502, TikTokUnavailableError),
        (200, TikTokUnavailableError),
        (100, TikTokUnavailableError),
    ],
)
def test_every_other_status_of_a_chunk_is_an_error_that_names_it(
    status: int, error: type[ReelflowError]
) -> None:
    with pytest.raises(error, match=f"HTTP {status}") as caught:
        chunk_put.parse_chunk(Answer(status, {}), CHUNK)
    assert type(caught.value) is error


@pytest.mark.parametrize(("headers", "wait_s"), [({}, 60), ({"Retry-After": "5"}, 5)])
def test_a_chunk_that_came_too_soon_waits_as_long_as_tiktok_says(
    headers: dict[str, str], wait_s: float
) -> None:
    with pytest.raises(TikTokRateLimitedError) as caught:
        chunk_put.parse_chunk(Answer(429, headers), CHUNK)
    assert caught.value.retry_after_s == wait_s
