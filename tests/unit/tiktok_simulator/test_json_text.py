"""What is read as JSON can be written as JSON again."""

import pytest

from tiktok_simulator.json_text import read_json


def test_json_in_utf_8_is_read() -> None:
    text = '{"caption": "gr\u00fcn \\ud83c\\udf31", "sizes": [1, 2.5, null]}'.encode()

    assert read_json(text) == {"caption": "gr\u00fcn \U0001f331", "sizes": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{", "Expecting"),
        (b'"\xff"', "codec can't decode"),
        (b"NaN", "NaN is no number"),
        (b"[" * 100_000, "nested too deep"),
        (b'["\\ud83d"]', "half a surrogate pair"),
        (b'{"\\udc00": 1}', "half a surrogate pair"),
    ],
)
def test_what_could_not_be_said_again_is_refused_with_the_reason(text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_json(text)
