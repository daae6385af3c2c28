"""What the operator's guide names is there: commands, options, settings, DAGs, pages, pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from demo.environment import REPOSITORY
from deploy.environment_file import names_in
from reelflow.cli.app import app
from reelflow.settings import Settings

DOCS = REPOSITORY / "docs"
PAGES = [DOCS / "operations.md", *sorted((DOCS / "operations").glob("*.md"))]
LARGEST_PICTURE_BYTES = 150_000
OPTIONAL_DAG = "wake_on_s3_notifications"

#: To the end of its line, or to what ends a command there.
_COMMAND = re.compile(r"(?<![\w/.@-])reelflow( +[a-z]+(?: +[^\s`|;&#)]+)*)")
_SETTING = re.compile(r"\bREELFLOW_[A-Z_]*[A-Z]\b")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_UNPAUSED = re.compile(r"for dag in ([\w\s\\]+);")
_FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)


@pytest.fixture(params=PAGES, ids=lambda page: page.stem)
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_every_command_of_ours_exists_with_its_options(page: Path) -> None:
    text = page.read_text().replace("\\\n", " ")
    named = [found[1].split() for found in _COMMAND.finditer(text)]
    wrong = [" ".join(words) for words in named if not _is_command(words)]
    assert not wrong


def test_every_setting_exists(page: Path) -> None:
    known = {f"REELFLOW_{name.upper()}" for name in Settings.model_fields}
    known |= set(names_in((REPOSITORY / ".env.example").read_text()))
    assert set(_SETTING.findall(page.read_text())) <= known


def test_every_link_and_picture_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.is_relative_to(REPOSITORY), target
        assert found.is_file(), target
        assert not anchor or anchor in _anchors(found), target


def test_every_page_and_picture_is_led_to() -> None:
    led_to = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in PAGES
        for target in _LINK.findall(page.read_text())
        if not target.startswith("https://")
    }
    assert {*PAGES[1:], *(DOCS / "images").iterdir()} <= led_to


def test_pictures_are_small() -> None:
    sizes = {picture.name: picture.stat().st_size for picture in (DOCS / "images").iterdir()}
    assert sizes
    assert all(size <= LARGEST_PICTURE_BYTES for size in sizes.values()), sizes


def test_the_table_of_dags_names_every_dag() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", PAGES[0].read_text(), re.MULTILINE))
    assert named == {file.stem for file in (REPOSITORY / "dags").glob("*.py")}


@pytest.mark.parametrize("name", ["setup", "running"])
def test_each_way_to_install_unpauses_every_dag_that_is_always_there(name: str) -> None:
    always = {file.stem for file in (REPOSITORY / "dags").glob("*.py")} - {OPTIONAL_DAG}
    (named,) = _UNPAUSED.findall((DOCS / "operations" / f"{name}.md").read_text())
    assert set(named.replace("\\\n", " ").split()) == always


def _is_command(words: list[str]) -> bool:
    """Whether words after ``reelflow`` are a command, with options that it has."""
    command = get_command(app)
    while isinstance(command, TyperGroup) and words:
        if words[0] not in command.commands:
            return False
        command, words = command.commands[words[0]], words[1:]
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return not isinstance(command, TyperGroup) and all(
        word.partition("=")[0] in options for word in words if word.startswith("--")
    )


def _anchors(page: Path) -> set[str]:
    """Return what GitHub makes of a page's headings."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
