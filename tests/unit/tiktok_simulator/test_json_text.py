"""What is read as JSON can be written as JSON again."""

import pytest

from tiktok_simulator.json_text import read_json


def test_json_in_utf_8_is_read() -> None:
    text = '{"caption": "gr\u00fcn \\ud83c\\udf31", "sizes": [1, 2.5, null]}'.encode()

    assert read_json(text) == {"caption": "gr\u00fcn \U0001f331", "sizes": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "EOF while parsing a value at line 1"),
        (b"{", "EOF while parsing an object"),
        (b'"\xff"', "invalid unicode code point at line 1 column 2"),
        (b"NaN", "expected value"),
        (b"-Infinity", "invalid number"),
        (b"[" * 100_000, "recursion limit exceeded"),
        (b'["\\ud83d"]', "unexpected end of hex escape"),
        (b'["\\ud83dabcdefg"]', "hex escape"),
        (b'{"\\udc00": 1}', "lone leading surrogate"),
    ],
)
def test_what_could_not_be_said_again_is_refused_with_the_reason(text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_json(text)
