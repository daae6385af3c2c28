"""JSON from outside, read without following it deeper than any document of ours goes."""

import json
import re
from typing import Any, Final

NESTING_MAX: Final = 200
"""The levels of arrays and objects that are read: ``jiter``, pydantic's reader, allows as many."""

# A text in quotes nests nothing, whatever brackets it holds; one without its end is no JSON.
_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def read_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Python's own reader takes a step down its stack for each bracket. At the bottom, objects that
    are collected just then find no room to be ended: a connection would not return to its pool.

    :param text: bytes are of the encoding that :func:`json.loads` detects
    :raises ValueError: no JSON, or nested more than :data:`NESTING_MAX` levels deep
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    _check_nesting(text)
    return json.loads(text)


def read_json_object(text: str | bytes) -> dict[str, Any] | None:
    """Return the object that a JSON text is; None for any other text."""
    try:
        value = read_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _check_nesting(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > NESTING_MAX:
            raise ValueError(f"it is nested more than {NESTING_MAX} levels deep")
