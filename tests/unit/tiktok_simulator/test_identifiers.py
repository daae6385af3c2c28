"""Identifiers look like production's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_simulator.identifiers import new_id, new_publish_id


@given(second=st.integers(2**29, 2**31 - 1))
def test_an_id_is_time_ordered_and_no_float64_holds_it(second: int) -> None:
    number = new_id(second + 0.5)

    assert number >> 32 == second
    assert len(str(number)) == 19
    assert int(float(number)) != number


@pytest.mark.parametrize(
    ("media", "kind", "is_pull", "prefix"),
    [
        ("video", "direct", False, "v_pub_file~v2-1."),
        ("video", "direct", True, "v_pub_url~v2-1."),
        ("video", "draft", False, "v_inbox_file~v2."),
        ("video", "draft", True, "v_inbox_url~v2."),
        ("photo", "direct", True, "p_pub_url~v2."),
        ("photo", "draft", True, "p_inbox_url~v2."),
    ],
)
def test_a_publish_id_tells_media_mode_and_source(
    media: Any, kind: Any, is_pull: bool, prefix: str
) -> None:
    publish_id = new_publish_id(1_795_000_000, media, kind, is_pull=is_pull)

    assert publish_id.startswith(prefix)
    assert publish_id.removeprefix(prefix).isdecimal()
    assert len(publish_id) <= 64
