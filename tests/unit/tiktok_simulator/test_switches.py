"""Switches take what is listed, and change all together or not at all."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import tiktok_simulator.switches as switches_module
from tiktok_simulator.switches import Switches


def test_every_switch_has_a_sentence_that_says_what_it_is() -> None:
    for name in vars(Switches()):
        assert f":param {name}:" in (Switches.__doc__ or "")


@pytest.mark.parametrize(
    "values",
    [
        {"processing_polls": 0},
        {"processing_s": 0.5, "link_s": 60},
        {"processing_s": None},
        {"progress": "last_index", "progress_on_416": False},
        {"completed_put": 416, "duplicate_chunk": 206, "long_body": 502},
        {"active_user_cap": 2},
    ],
)
def test_listed_values_are_taken(values: dict[str, Any]) -> None:
    switches = Switches()

    switches.set(values)

    assert {name: getattr(switches, name) for name in values} == values


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("progress", "first"),
        ("progress", None),
        ("progress_on_416", 1),
        ("completed_put", 200),
        ("completed_put", 404.0),
        ("processing_polls", -1),
        ("processing_polls", True),
        ("processing_polls", 1.5),
        ("processing_polls", None),
        ("processing_s", -0.1),
        ("processing_s", 1e300),
        ("processing_s", "1"),
        ("pull_retry_s", None),
        ("pull_attempts", 0),
        ("active_user_cap", 1.0),
    ],
)
def test_another_value_is_refused_with_the_name_and_the_value(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be") as caught:
        Switches().set({name: value})

    assert repr(value) in str(caught.value)


def test_one_bad_value_leaves_all_switches_alone() -> None:
    switches = Switches()

    with pytest.raises(ValueError, match="no switch 'speed'"):
        switches.set({"processing_polls": 5, "speed": 1})

    assert switches == Switches()


def test_the_readme_names_every_switch_and_its_default() -> None:
    readme = (Path(switches_module.__file__).parent / "README.md").read_text(encoding="utf-8")

    for one in fields(Switches):
        assert f"`{one.name}`" in readme
        if isinstance(one.default, str):
            assert f"`{one.name}` `{one.default}`" in readme
