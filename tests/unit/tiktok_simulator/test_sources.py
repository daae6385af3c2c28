"""Whatever the simulator refuses, limits or chooses says where it is known from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import tiktok_simulator
from tiktok_simulator.codes import ERROR_CODES
from tiktok_simulator.switches import Switches

PACKAGE = Path(tiktok_simulator.__file__).parent
MODULES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.glob("*.py"))}
KEY = r"D-[A-Z]+"
PAGES = set(re.findall(rf"^({KEY})  ", tiktok_simulator.__doc__ or "", re.MULTILINE))
#: A page, what was seen in real traffic, or that nothing is documented.
SOURCE = re.compile(rf"\b({KEY})\b|\b[Oo]bserved\b|real traffic|https://|\bU\b")
REFUSALS = {"ApiError", "OAuthError", "UploadError", "PullError", "RetryablePullError"}


def refusing(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions that refuse a call themselves, or through their module's ``refuse``."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            called = {
                node.func.id
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            if called & (REFUSALS | {"refuse"}):
                yield function


def test_every_page_that_is_named_is_in_the_table_and_none_is_there_for_nothing() -> None:
    named = {name: set(re.findall(rf"\b{KEY}\b", text)) for name, text in MODULES.items()}
    assert len(PAGES) == 15
    assert {name: keys - PAGES for name, keys in named.items() if keys - PAGES} == {}
    del named["__init__"]  # the table itself
    assert set().union(*named.values()) == PAGES


def test_every_function_that_refuses_a_call_names_its_source_or_its_module_does() -> None:
    unfounded = [
        f"{name}.{function.name}"
        for name, text in MODULES.items()
        if not SOURCE.search(ast.get_docstring(ast.parse(text)) or "")
        for function in refusing(ast.parse(text))
        if not SOURCE.search(ast.get_source_segment(text, function) or "")
    ]
    assert unfounded == []


def test_every_switch_names_what_speaks_for_its_values() -> None:
    told = re.split(r":param (\w+):", Switches.__doc__ or "")[1:]
    sentences = dict(zip(told[::2], told[1::2], strict=True))
    assert sentences.keys() == vars(Switches()).keys()
    assert [name for name, told in sentences.items() if not SOURCE.search(told)] == []


def test_every_code_is_on_the_page_of_a_call_or_says_on_which_it_is() -> None:
    lines = MODULES["codes"].splitlines()
    unfounded = [
        code
        for code, (_, calls) in ERROR_CODES.items()
        if not calls
        and not any(f'"{code}": ' in line and re.search(rf"\({KEY}\)", line) for line in lines)
    ]
    assert unfounded == []
    for table, name in (
        ("codes", "ERROR_CODES"),
        ("codes", "FAIL_REASONS"),
        ("exceptions", "OAUTH_ERRORS"),
    ):
        above = MODULES[table].partition(f"\n{name} = ")[0].rpartition("\n\n")[2]
        assert set(re.findall(rf"\b{KEY}\b", above)), name
