from __future__ import annotations

import pytest

from tests.topology.interpolation import MissingVariableError, interpolated, variables_of

VALUES = {"SET": "value", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${SET}", "value"),
        ("$SET/x", "value/x"),
        ("a${SET:-other}b", "avalueb"),
        ("${NONE:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY-other}", ""),
        ("${NONE:-}", ""),
        ("${NONE:-a${EMPTY:-other}b}", "aotherb"),
        ("${SET:-${NONE}}", "value"),
        ("${NONE-${SET}}", "value"),
        ("${SET:?must be set}", "value"),
        ("${EMPTY?must be set}", ""),
        ("${SET:+there}", "there"),
        ("${EMPTY:+there}", ""),
        ("$$SET $${SET}", "$SET ${SET}"),
        ("$$(hostname)", "$(hostname)"),
    ],
)
def test_a_variable_is_put_in_as_compose_does(text: str, expected: str) -> None:
    assert interpolated({"one": [text]}, VALUES) == {"one": [expected]}


@pytest.mark.parametrize(
    "text", ["${NONE}", "$NONE", "${NONE:?do this}", "${EMPTY:?do this}", "${EMPTY:-${NONE}}"]
)
def test_a_missing_one_is_refused_by_name(text: str) -> None:
    with pytest.raises(MissingVariableError, match=r"NONE|EMPTY"):
        interpolated(text, VALUES)


@pytest.mark.parametrize("text", ["$(hostname)", "100$", "${SET", "${}"])
def test_a_dollar_that_begins_no_variable_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="begins no variable"):
        interpolated(text, VALUES)


def test_variables_are_listed_with_how_they_are_used() -> None:
    assert variables_of(["${A:?x} $B", {"k": "${A:-y${D:-z}} $$C"}]) == {
        "A": {":?", ":-"},
        "B": {""},
        "D": {":-"},
    }
