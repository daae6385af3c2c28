import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.api.byte_ranges import wanted_range
from reelflow.api.errors import ApiError
from reelflow.domain.chunks import ByteRange


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=10-", 10, 99),
        ("bytes=99-", 99, 99),
        ("bytes=50-1000", 50, 99),
        ("bytes=-1", 99, 99),
        ("bytes=-1000", 0, 99),
        (" BYTES=5-6 ", 5, 6),
    ],
)
def test_a_range_is_cut_to_the_file(header: str, first: int, last: int) -> None:
    assert wanted_range(header, 100) == ByteRange(first, last, 100)


@pytest.mark.parametrize(
    "header",
    [
        *("", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b"),
        *("bytes=0-1-2", "bytes= 0-1", "bytes=٣-٤", f"bytes={'9' * 19}-", "bytes=0x1-2"),
    ],
)
def test_what_means_nothing_is_ignored(header: str) -> None:
    assert wanted_range(header, 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_beside_the_file_is_refused_with_its_size(header: str) -> None:
    with pytest.raises(ApiError) as refused:
        wanted_range(header, 100)
    assert (refused.value.status, refused.value.reason) == (416, "range_not_satisfiable")
    assert refused.value.headers == {"Content-Range": "bytes */100"}


@given(
    header=st.text() | st.from_regex(r"bytes=[0-9]{0,4}-[0-9]{0,4}", fullmatch=True),
    size_bytes=st.integers(1, 2000),
)
def test_any_header_is_a_range_in_the_file_the_whole_file_or_416(
    header: str, size_bytes: int
) -> None:
    found = None
    with contextlib.suppress(ApiError):
        found = wanted_range(header, size_bytes)
    assert found is None or found.total == size_bytes  # ByteRange checks that it lies inside
