from __future__ import annotations

import uuid

import pytest

from reelflow.domain.ids import is_id


def test_what_uuid4_gives_is_an_id() -> None:
    assert is_id(uuid.uuid4().hex)


@pytest.mark.parametrize(
    "text",
    ["", "f" * 31, "f" * 33, "F" * 32, "g" * 32, "f" * 31 + "\0", "f" * 32 + "\n", "\u0661" * 32],
)
def test_nothing_else_is(text: str) -> None:
    assert not is_id(text)
