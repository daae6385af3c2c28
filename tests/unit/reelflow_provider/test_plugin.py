"""The plugin: found by its entry point, once, and light enough for every task of every DAG."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from airflow import plugins_manager

from reelflow_provider import preload, run_notes
from reelflow_provider.plugin import ReelflowPlugin

REPOSITORY = Path(__file__).parents[3]

LOADED_BY_PLUGIN = """
import json, sys
import airflow.sdk, airflow.plugins_manager
before = set(sys.modules)
import reelflow_provider.plugin
print(json.dumps(sorted(set(sys.modules) - before)))
"""

LOADED_BY_ALL_PLUGINS = """
import json, sys
from airflow.plugins_manager import _get_plugins, get_import_errors
plugins = [type(plugin).__module__ for plugin in _get_plugins()[0]]
print(json.dumps([plugins, get_import_errors(), sorted(sys.modules)]))
"""

LOADED_BY_LISTING = """
import json, sys
from airflow.plugins_manager import get_plugin_info
(plugin,) = (one for one in get_plugin_info() if one["name"] == "reelflow")
loaded = [name for name in sys.modules if name.startswith("reelflow")]
print(json.dumps([plugin["fastapi_apps"], plugin["external_views"], loaded]))
"""


def in_new_process(code: str, airflow_home: Path) -> object:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "AIRFLOW_HOME": str(airflow_home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_airflow_finds_the_plugin_by_its_entry_point() -> None:
    (plugin,) = (one for one in plugins_manager.get_plugin_info() if one["name"] == "reelflow")
    assert "reelflow==" in str(plugin["source"])


def test_the_plugin_listens_for_the_start_of_components_and_the_end_of_runs() -> None:
    assert ReelflowPlugin.listeners == [preload, run_notes]


def test_the_plugin_loads_nothing_but_its_links_and_errors(tmp_path: Path) -> None:
    loaded = in_new_process(LOADED_BY_PLUGIN, tmp_path)
    assert isinstance(loaded, list)
    allowed = {"reelflow", "reelflow.exceptions", "reelflow_provider"}
    allowed |= {f"reelflow_provider.{name}" for name in ("links", "plugin", "preload", "run_notes")}
    others = {name for name in set(loaded) - allowed if not name.startswith("airflow.")}
    assert others <= {"airflow", "pluggy"} | {n for n in others if n.startswith("pluggy.")}


def test_the_web_application_is_mounted_and_no_more_of_it_loaded_than_that(tmp_path: Path) -> None:
    answer = in_new_process(LOADED_BY_LISTING, tmp_path)
    assert isinstance(answer, list)
    (app,), (view,), loaded = answer
    assert app["url_prefix"] == "/reelflow"
    assert view["href"].startswith(app["url_prefix"].lstrip("/"))
    assert "reelflow_provider.web.mounted" in loaded
    assert {"reelflow.api", "reelflow.settings", "reelflow_provider.web.login"}.isdisjoint(loaded)


def test_the_plugins_folder_is_not_loaded_a_second_time_as_loose_files(tmp_path: Path) -> None:
    # Airflow would import hooks/tiktok.py as `tiktok`, operators/base.py as `base`, and so on.
    answer = in_new_process(LOADED_BY_ALL_PLUGINS, tmp_path)
    assert isinstance(answer, list)
    plugins, errors, loaded = answer
    assert plugins.count("reelflow_provider.plugin") == 1
    assert errors == {}
    files = (REPOSITORY / "plugins" / "reelflow_provider").rglob("*.py")
    stems = {file.stem for file in files} - {"__init__"}
    assert stems
    assert stems.isdisjoint(loaded)
