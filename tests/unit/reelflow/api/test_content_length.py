from __future__ import annotations

import pytest

from reelflow.api.content_length import declared_bytes


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("0", 0), ("10", 10), ("-1", None), ("ten", None), ("", None), ("1_0", None), ("²", None)],
)
def test_a_length_is_a_number_or_none(text: str, size_bytes: int | None) -> None:
    headers = [(b"content-length", text.encode("latin-1"))]
    assert declared_bytes({"type": "http", "headers": headers}) == size_bytes


def test_a_length_that_no_body_has_is_still_too_long() -> None:
    headers = [(b"content-length", b"9" * 5000)]
    assert (declared_bytes({"type": "http", "headers": headers}) or 0) >= 10**19


def test_none_is_told_where_there_is_none() -> None:
    assert declared_bytes({"type": "http", "headers": []}) is None
