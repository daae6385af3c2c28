"""Strangers' texts: short, on one line, and without power over a screen."""

from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.printable import printable


def test_control_characters_are_left_out_and_the_rest_is_kept_in_order() -> None:
    assert printable(" \x1b[2Jred\r\n\u202egrün 🎬\0 ", 100) == "[2Jredgrün 🎬"
    assert printable("abcdef", 3) == "abc"


@given(st.text(), st.integers(0, 50))
def test_any_text_becomes_short_and_printable(text: str, max_chars: int) -> None:
    shown = printable(text, max_chars)
    assert shown.isprintable()
    assert len(shown) <= max_chars
    assert printable(shown, max_chars) == shown
