"""The chunk rules: every documented and observed vector, and both halves as properties."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_simulator.chunks import (
    ChunkSpan,
    Megabyte,
    UploadPlan,
    check_chunk_headers,
    check_chunk_plan,
)
from tiktok_simulator.exceptions import ApiError, UploadError

CHUNK = "The chunk size is invalid"
COUNT = "The total chunk count is invalid"
SIZE = "The video size is invalid"
PLAN = UploadPlan(25, 10, 2)


@pytest.mark.parametrize(
    ("size", "chunk", "count"),
    [
        (1, 1, 1),
        (4_194_304, 4_194_304, 1),
        (5_242_880, 5_242_880, 1),
        (64_000_000, 64_000_000, 1),
        (64_000_001, 32_000_000, 2),
        (66_259_900, 32_000_000, 2),
        (95_999_999, 32_000_000, 2),
        (96_000_000, 32_000_000, 3),
        (158_008_374, 32_000_000, 4),
        (158_008_374, 5_242_880, 30),
        (4_294_967_296, 32_000_000, 134),
        (50_000_123, 10_000_000, 5),
        (128_000_000, 64_000_000, 2),
    ],
)
def test_a_plan_known_to_work_is_accepted(size: int, chunk: int, count: int) -> None:
    check_chunk_plan(UploadPlan(size, chunk, count))


@pytest.mark.parametrize(
    ("size", "chunk", "count", "message"),
    [
        (50_000_123, 10_000_000, 6, COUNT),
        (50_000_123, 10_000_000, 4, COUNT),
        (50_000_123, 10_000_000, 0, COUNT),
        (15_000_000, 10_000_000, 2, COUNT),
        (10, 10, 2, COUNT),
        (121_000_000, 64_000_000, 1, CHUNK),
        (121_000_000, 67_108_864, 1, CHUNK),
        (158_008_374, 158_008_374, 1, CHUNK),
        (94_000_000, 94_000_000, 1, CHUNK),
        (66_259_900, 66_259_900, 1, CHUNK),
        (7_340_032, 10_485_760, 1, CHUNK),
        (70_000_000, 4_194_304, 16, CHUNK),
        (50_000_000, 5_000_000, 10, CHUNK),  # 5 MB in one of the two readings only
        (64_000_001, 64_000_000, 1, CHUNK),
        (64_000_001, 64_000_001, 1, CHUNK),
        (15_000_000, 10_000_000, 1, CHUNK),
        (10, 5, 2, CHUNK),
        (10, 0, 1, CHUNK),
        (10, -10, -1, CHUNK),
        (0, 0, 1, SIZE),
        (-1, -1, 1, SIZE),
        (4_294_967_297, 32_000_000, 134, SIZE),
    ],
)
def test_a_plan_known_to_be_refused_gets_tiktoks_message(
    size: int, chunk: int, count: int, message: str
) -> None:
    with pytest.raises(ApiError) as caught:
        check_chunk_plan(UploadPlan(size, chunk, count))

    assert (caught.value.code, caught.value.status) == ("invalid_params", 400)
    assert caught.value.message == message


@given(
    size=st.integers(1, 4 * 2**30),
    constant=st.integers(5_242_880, 32_000_000),
)
def test_a_plan_by_the_documented_rule_always_passes(size: int, constant: int) -> None:
    chunk = size if size <= 64_000_000 else constant

    check_chunk_plan(UploadPlan(size, chunk, size // chunk))


@given(size=st.integers(1, 4 * 2**30), chunk=st.integers(0, 2**27), count=st.integers(-1, 1001))
def test_an_accepted_plan_keeps_every_documented_limit(size: int, chunk: int, count: int) -> None:
    count = size // chunk if chunk and count % 2 else count
    try:
        check_chunk_plan(UploadPlan(size, chunk, count))
    except ApiError:
        return
    assert 1 <= count <= 1000
    assert chunk <= 64_000_000
    assert size - (count - 1) * chunk <= 128_000_000
    assert chunk >= 5_242_880 or chunk == size


def headers(span: str, length: int, content_type: str = "video/mp4") -> dict[str, str]:
    return {
        "content-type": content_type,
        "content-range": f"bytes {span}",
        "content-length": str(length),
    }


@pytest.mark.parametrize("content_type", ["video/mp4", "video/quicktime", "video/webm"])
def test_the_chunks_of_a_plan_are_accepted_in_each_media_type(content_type: str) -> None:
    first = check_chunk_headers(headers("0-9/25", 10, content_type), PLAN, 0)
    last = check_chunk_headers(headers("10-24/25", 15, content_type), PLAN, 10)

    assert (first, last) == (ChunkSpan(0, 9), ChunkSpan(10, 24))
    assert last.length == 15


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ({}, 0),
        (headers("0-9/25", 10, "application/octet-stream"), 0),
        (headers("0-9/25", 10, "video/x-matroska"), 0),
        (headers("0-9/26", 10), 0),  # another total than init
        (headers("9-0/25", 10), 0),
        (headers("10-25/25", 16), 10),  # behind the end
        (headers("0-9/*", 10), 0),
        (headers("0 - 9/25", 10), 0),
        (headers("\u0660-\u0669/\u0662\u0665", 10), 0),  # Arabic digits
        (headers("0-9/25, 10-24/25", 10), 0),
        ({**headers("0-9/25", 10), "content-range": "0-9/25"}, 0),
        (headers("0-9/25", 11), 0),  # Content-Length is not the range's
        ({"content-type": "video/mp4", "content-range": "bytes 0-9/25"}, 0),
        ({**headers("0-9/25", 10), "transfer-encoding": "chunked"}, 0),
        (headers("0-8/25", 9), 0),  # shorter than chunk_size
        (headers("0-10/25", 11), 0),  # longer than chunk_size
        (headers("0-24/25", 25), 0),  # everything, but init announced two chunks
        (headers("10-19/25", 10), 10),  # the last one does not reach the end
    ],
)
def test_headers_that_break_the_plan_are_a_400(sent: dict[str, str], received: int) -> None:
    with pytest.raises(UploadError) as caught:
        check_chunk_headers(sent, PLAN, received)

    assert caught.value.status == 400


@pytest.mark.parametrize(("span", "length", "received"), [("10-24/25", 15, 0), ("0-9/25", 10, 10)])
def test_a_range_that_does_not_follow_the_stored_bytes_is_a_416(
    span: str, length: int, received: int
) -> None:
    with pytest.raises(UploadError) as caught:
        check_chunk_headers(headers(span, length), PLAN, received)

    assert caught.value.status == 416


@given(size=st.integers(1, 10_000), chunk=st.integers(1, 10_000))
def test_walking_a_plan_chunk_by_chunk_is_always_accepted(size: int, chunk: int) -> None:
    chunk = min(chunk, size)
    plan = UploadPlan(size, chunk, size // chunk)
    received = 0
    for index in range(plan.total_chunk_count):
        end = size if plan.is_last(index) else received + chunk
        span = f"{received}-{end - 1}/{size}"
        received += check_chunk_headers(headers(span, end - received), plan, received).length
    assert received == size


@pytest.mark.parametrize(
    ("size", "chunk", "allowed"),
    [
        (50_000_000, 5_000_000, {"decimal"}),
        (50_000_000, 5_242_880, {"both", "decimal", "binary"}),
        (67_108_864, 67_108_864, {"binary"}),
        (67_108_865, 67_108_865, set()),
    ],
)
def test_the_reading_of_megabyte_can_be_chosen(size: int, chunk: int, allowed: set[str]) -> None:
    accepted: set[Megabyte] = set()
    for megabyte in get_args(Megabyte):
        try:
            check_chunk_plan(UploadPlan(size, chunk, size // chunk), megabyte)
        except ApiError:
            continue
        accepted.add(megabyte)

    assert accepted == allowed


def test_a_stored_chunk_may_pass_again_but_no_other_range() -> None:
    plan = UploadPlan(35, 10, 3)

    again = check_chunk_headers(headers("0-9/35", 10), plan, 20, accepts_duplicates=True)

    assert again == ChunkSpan(0, 9)
    for span, length in (("5-14/35", 10), ("30-34/35", 5)):
        with pytest.raises(UploadError) as caught:
            check_chunk_headers(headers(span, length), plan, 20, accepts_duplicates=True)
        assert caught.value.status == 416
    with pytest.raises(UploadError) as caught:
        check_chunk_headers(headers("0-8/35", 9), plan, 20, accepts_duplicates=True)
    assert caught.value.status == 400
