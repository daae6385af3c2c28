"""What goes into the image, without building it: the Dockerfile's words, and the wheel."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest

from tests.topology.compose_file import REPOSITORY
from tests.topology.wheel import build_wheel, names_in

DOCKERFILE: Final = (REPOSITORY / "Dockerfile").read_text()
MAKEFILE: Final = (REPOSITORY / "Makefile").read_text()


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, continued lines joined."""
    lines = re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
    parts = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in parts]


def of(name: str) -> list[str]:
    return [rest for one, rest in instructions() if one == name]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("dist"))


def test_it_is_made_by_the_steps_of_make_setup() -> None:
    steps = " ".join(of("RUN"))
    assert "make setup-image VENV=/opt/reelflow/venv" in steps
    assert "python -m demo.ffmpeg" in steps
    assert "pip install" not in steps
    assert MAKEFILE.count("$(BIN)/uv pip install") == 2  # both in the one definition
    for target, given in ((r"\$\(STAMP\)", "requirements-dev.txt,-e ."),
                          ("setup-image", "requirements-image.txt,.")):  # fmt: skip
        recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.M)
        assert recipe
        assert f"$(call install,{given})" in recipe[1]
    assert "$(BIN)/python -m demo.ffmpeg" in MAKEFILE


def test_its_packages_are_those_that_the_tests_run() -> None:
    pinned = [set(_pins(name)) for name in ("requirements-image.txt", "requirements-dev.txt")]
    assert pinned[0]
    assert pinned[0] <= pinned[1]


def _pins(name: str) -> list[str]:
    text = (REPOSITORY / name).read_text()
    return re.findall(r"^[\w.\[\]-]+==\S+", text, re.M)


def test_its_base_is_pinned_and_a_python_that_airflow_runs_on() -> None:
    first = of("FROM")[0]
    assert re.fullmatch(r"python:3\.(11|12|13)\.\d+-slim-bookworm AS base", first)
    assert {stage.split()[0] for stage in of("FROM")[1:]} == {"base"}


def test_its_processes_are_nobody_s_root() -> None:
    assert of("USER") == ["reelflow"]
    last_stage = [name for name, _ in instructions()][::-1].index("FROM")
    assert "USER" in [name for name, _ in instructions()[-last_stage:]]


def test_what_is_copied_is_there_and_in_the_build_context() -> None:
    kept = _kept_patterns()
    for rest in of("COPY"):
        *sources, _target = shlex.split(rest)
        if sources[0].startswith("--from"):
            continue
        for source in sources:
            assert (REPOSITORY / source).exists(), source
            assert any(source == one for one in kept), f".dockerignore leaves {source} out"
    bound = re.findall(r"type=bind,source=([\w/]+)", DOCKERFILE)
    assert bound == ["demo"]
    assert set(bound) <= kept


def _kept_patterns() -> set[str]:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    return {line[1:] for line in lines if line.startswith("!")}


def test_neither_secrets_nor_the_simulator_are_in_the_build_context() -> None:
    kept = _kept_patterns()
    for name in (".env", "settings.env", "include/tiktok_simulator", "tests", ".git"):
        assert not any(fnmatch(name, one) for one in kept)


def test_the_wheel_has_the_product_and_no_simulator(wheel: Path) -> None:
    top = {name.partition("/")[0] for name in names_in(wheel)}
    packages = {name for name in top if not name.endswith(".dist-info")}
    assert packages == {"reelflow", "reelflow_provider"}


def test_the_wheel_has_every_file_of_the_product(wheel: Path) -> None:
    names = set(names_in(wheel))
    for folder in (REPOSITORY / "include/reelflow", REPOSITORY / "plugins/reelflow_provider"):
        files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        wanted = {path.relative_to(folder.parent).as_posix() for path in files}
        assert wanted <= names, sorted(wanted - names)


def test_the_wheel_says_how_airflow_and_the_shell_find_it(wheel: Path) -> None:
    assert any(name.endswith(".dist-info/entry_points.txt") for name in names_in(wheel))
