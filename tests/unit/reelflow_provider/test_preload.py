"""Preloading: components of Airflow import the stages once, before they fork; tasks do not."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reelflow_provider import preload

PLUGIN = Path(__file__).parents[3] / "plugins" / "reelflow_provider"

LOADED_BY = """
import json, sys
from reelflow_provider import preload
component = type(sys.argv[1], (), {})()
preload.on_starting(component)
print(json.dumps(sorted(name for name in sys.modules if name.startswith("reelflow"))))
"""


def loaded_by(component: str, airflow_home: Path) -> set[str]:
    """Return the modules of ours that a component has loaded after it said that it starts."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED_BY, component],
        env={**os.environ, "AIRFLOW_HOME": str(airflow_home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def imported_late(path: Path) -> set[str]:
    """Return the modules of ours that a file imports inside of its functions."""
    functions = (
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return {
        str(node.module)
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("reelflow")
    }


def test_a_component_has_loaded_what_the_stages_import_when_they_run(tmp_path: Path) -> None:
    stages = [*PLUGIN.glob("operators/*.py"), *PLUGIN.glob("sensors/*.py")]
    wanted = set().union(*(imported_late(path) for path in stages))
    assert "reelflow.services.publishing.publish" in wanted
    assert wanted <= loaded_by("Job", tmp_path)


@pytest.mark.parametrize("component", ["TaskRunnerMarker", "str"])
def test_a_task_loads_nothing(component: str, tmp_path: Path) -> None:
    assert not any(name.startswith("reelflow.services") for name in loaded_by(component, tmp_path))


@pytest.mark.parametrize("storage_url", ["", "s3://bucket"])
def test_s3_is_loaded_where_media_lie_there(
    storage_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_STORAGE_URL", storage_url)
    assert ("reelflow.storage.s3" in loaded_by("Job", tmp_path)) is bool(storage_url)


def test_every_stage_is_there() -> None:
    for name in preload._STAGES:
        assert any(
            (root / f"{name.replace('.', '/')}.py").is_file()
            for root in (PLUGIN.parent, PLUGIN.parents[1] / "include")
        ), name
