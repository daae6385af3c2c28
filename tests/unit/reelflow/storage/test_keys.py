"""Keys: one spelling for every name that a file can have, and no other."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.exceptions import InvalidObjectKeyError
from reelflow.storage.keys import KEY_MAX_BYTES, key_of, names_in

file_names = (
    st.binary(min_size=1, max_size=60)
    .filter(lambda name: name not in (b".", b"..") and not set(name) & set(b"/\0"))
    .map(os.fsdecode)
)
paths = st.lists(file_names, min_size=1, max_size=5).filter(lambda names: names[0] != ".uploads")


@given(paths)
def test_names_are_read_back_from_their_key(names: list[str]) -> None:
    key = key_of(*names)
    assert names_in(key) == tuple(names)
    assert key.isascii()
    assert key.isprintable()


@given(st.text(max_size=40))
def test_a_text_is_the_one_key_of_its_names_or_none(text: str) -> None:
    try:
        names = names_in(text)
    except InvalidObjectKeyError:
        return
    assert key_of(*names) == text


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "\ud800"])
def test_what_is_no_name_has_no_key(name: str) -> None:
    with pytest.raises(InvalidObjectKeyError):
        key_of("inbox", name)


def test_a_key_stands_for_no_more_bytes_than_s3_takes() -> None:
    assert names_in("%20" * KEY_MAX_BYTES)
    with pytest.raises(InvalidObjectKeyError, match="choose shorter names"):
        names_in("x" * (KEY_MAX_BYTES + 1))
