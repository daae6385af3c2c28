"""JSON from outside, read so that whatever it says can be said again in an answer."""

from typing import Any

from pydantic_core import from_json


def read_json(text: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    Half a surrogate pair, which JSON can escape, cannot be sent in UTF-8: kept, it would break
    every answer that shows it.

    :raises ValueError: what is wrong, and where: no JSON, nested more than 200 levels deep, or
        with half a surrogate pair
    """
    return from_json(text, allow_inf_nan=False)
