"""JSON from outside, read so that whatever it says can be said again in an answer."""

import json
from typing import Any, NoReturn


def read_json(text: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    Half a surrogate pair, which JSON can escape, cannot be sent in UTF-8: kept, it would break
    every answer that shows it.

    :raises ValueError: what is wrong: no JSON, nested too deep, or with half a surrogate pair.
    """
    try:
        value = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    except UnicodeEncodeError as error:
        raise ValueError("a text in it has half a surrogate pair") from error
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
