"""The values of a Compose file, put in as `docker compose` does; strictly where it would only warn.

https://docs.docker.com/reference/compose-file/interpolation
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

#: A word may name variables itself, as deep as our file does: once.
_VARIABLE: Final = re.compile(
    r"\$(?:(?P<dollar>\$)"
    r"|\{(?P<name>[A-Za-z_]\w*)(?:(?P<operator>:?[-?+])(?P<word>(?:[^{}]|\$\{[^{}]*\})*))?\}"
    r"|(?P<plain>[A-Za-z_]\w*)|(?P<wrong>))"
)


class MissingVariableError(Exception):
    """A variable has no value, and the file says that it needs one, or says nothing."""

    def __init__(self, name: str, told: str) -> None:
        super().__init__(f"{name}: {told or 'is not set, and has no default'}")
        self.name, self.told = name, told


def interpolated(value: Any, environment: Mapping[str, str]) -> Any:
    """Return a value of a parsed Compose file with the environment's values in its strings.

    :raises MissingVariableError: a variable has no value
    """
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _value_of(match, environment), value)
    if isinstance(value, Mapping):
        return {name: interpolated(one, environment) for name, one in value.items()}
    if isinstance(value, list):
        return [interpolated(one, environment) for one in value]
    return value


def variables_of(value: Any) -> dict[str, set[str]]:
    """Return each variable that a Compose file names, with the operators it is used with."""
    found: dict[str, set[str]] = {}

    def note(match: re.Match[str]) -> str:
        name = match["name"] or match["plain"]
        if name:
            found.setdefault(name, set()).add(match["operator"] or "")
            _VARIABLE.sub(note, match["word"] or "")
        return ""

    _walk(value, lambda text: _VARIABLE.sub(note, text))
    return found


def _walk(value: Any, visit: Callable[[str], object]) -> None:
    if isinstance(value, str):
        visit(value)
    elif isinstance(value, Mapping):
        for one in value.values():
            _walk(one, visit)
    elif isinstance(value, list):
        for one in value:
            _walk(one, visit)


def _value_of(match: re.Match[str], environment: Mapping[str, str]) -> str:
    if match["wrong"] is not None:
        raise ValueError(f"a dollar that begins no variable: {match.string!r}")
    if match["dollar"]:
        return "$"
    name, operator, word = match["name"] or match["plain"], match["operator"], match["word"]
    value = environment.get(name)
    has_value = bool(value) if operator and operator.startswith(":") else value is not None
    if operator and operator.endswith("+"):
        return str(interpolated(word, environment)) if has_value else ""
    if has_value:
        assert value is not None
        return value
    if operator and operator.endswith("-"):
        return str(interpolated(word, environment))
    raise MissingVariableError(name, word or "")


def read_environment_file(path: Path) -> dict[str, str]:
    """Return what an environment file sets, for the forms that ours use: bare and single-quoted."""
    values = {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        assert equals, f"{path}: no line of an environment file: {line!r}"
        if value.startswith("'"):
            assert value.endswith("'"), f"{path}: a quote that does not end: {line!r}"
            value = value[1:-1]
        else:
            assert not set(value) & set("\"'$#\\ "), f"{path}: quote this value: {line!r}"
        values[name] = value
    return values
