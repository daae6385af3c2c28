"""JSON from outside is what Python reads in it, and is not followed far down."""

import gc
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.json_text import NESTING_MAX, read_json, read_json_object

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
)
DEEP = "[" * 100_000


class Unfinished:
    """Part of a cycle, and so ended whenever Python collects what nobody holds."""

    ended: list[bool]

    def __init__(self, ended: list[bool]) -> None:
        self.ended, self.itself = ended, self

    def __del__(self) -> None:
        json.dumps([["what needs some room on the stack"]], indent=1)
        self.ended.append(True)


@given(VALUES)
def test_a_value_is_read_as_it_was_written(value: Any) -> None:
    text = json.dumps(value)
    assert read_json(text) == value
    assert read_json(text.encode()) == value
    assert read_json_object(text) == (value if isinstance(value, dict) else None)


@given(st.text('"\\[]{}:, a1', max_size=12))
def test_a_short_text_is_read_as_python_reads_it(text: str) -> None:
    try:
        value = json.loads(text)
    except ValueError as error:
        with pytest.raises(type(error)):
            read_json(text)
    else:
        assert read_json(text) == value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_bytes_are_read_in_the_encoding_they_are_in(encoding: str) -> None:
    assert read_json_object('{"caption": "grün 🌱"}'.encode(encoding)) == {"caption": "grün 🌱"}


@pytest.mark.parametrize("inner", ["[]", '[{"a": "]]"}]', '"' + 300 * "[" + '\\"{"'])
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a": ', "}")])
def test_as_many_levels_as_pydantic_allows_are_read_and_none_more(
    opens: str, closes: str, inner: str
) -> None:
    levels = NESTING_MAX - inner.count("[]") - (2 if "]]" in inner else 0)
    text = opens * levels + inner + closes * levels
    assert read_json(text) == json.loads(text)
    with pytest.raises(ValueError, match="nested more than 200 levels deep"):
        read_json(f"[{text}]")


def test_many_values_beside_each_other_are_not_deep() -> None:
    text = "[" + ", ".join(['{"a": [1]}'] * 1000) + "]"
    assert len(read_json(text)) == 1000


@pytest.mark.parametrize("text", ["", "<html>", "[1]", "null", '"{}"', DEEP, b"\xff", b"1" * 5000])
def test_a_text_that_is_no_object_is_none(text: str | bytes) -> None:
    assert read_json_object(text) is None


def test_what_is_collected_meanwhile_is_ended_as_ever() -> None:
    ended: list[bool] = []
    before = gc.get_threshold()
    try:
        for depth in range(1, sys.getrecursionlimit() + 1):
            gc.collect(0)
            gc.set_threshold(depth, 10, 10)
            Unfinished(ended)
            assert read_json_object(DEEP) is None
            gc.set_threshold(*before)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert len(ended) == sys.getrecursionlimit()
