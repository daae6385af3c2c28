"""Preloading: components of Airflow import the stages once, before they fork; tasks do not."""

from __future__ import annotations

import ast
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from airflow.executors import executor_loader
from airflow.executors.local_executor import LocalExecutor

from reelflow.exceptions import PostNotFoundError
from reelflow.ledger import posts
from reelflow.media import decoder
from reelflow.sandbox.fork_server import fork_server
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings, _engine
from reelflow_provider import preload
from reelflow_provider.storage import open_workspace
from tests.factories import FERNET_KEY
from tests.first_files import allow_no_process, forget_files
from tests.postgresql import ON_BOTH_DATABASES

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


IMPORTED_BY_DAG_FILES = """
import json, runpy, sys
from reelflow_provider import preload
preload.on_starting(type("Job", (), {})())
loaded = set(sys.modules)
for dag_file in sys.argv[1:]:
    runpy.run_path(dag_file)
print(json.dumps(sorted(set(sys.modules) - loaded)))
"""


def test_a_dag_file_which_each_of_its_tasks_reads_imports_nothing_more(tmp_path: Path) -> None:
    dag_files = sorted((PLUGIN.parents[1] / "dags").glob("*.py"))
    assert len(dag_files) > 5
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED_BY_DAG_FILES, *dag_files],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []


IMPORTED_BY_TASK = """
import json, sys
from datetime import timedelta
from airflow.sdk import BaseOperator
from reelflow_provider import preload
from tests.unit.reelflow_provider.airflow_task import run_task

class Idle(BaseOperator):
    def execute(self, context):
        pass

preload.on_starting(type("Job", (), {})())
loaded = set(sys.modules)
assert run_task(Idle, execution_timeout=timedelta(minutes=1)).state == "success"
print(json.dumps(sorted(set(sys.modules) - loaded)))
"""


def test_a_task_with_a_time_limit_imports_nothing_more_of_airflow(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED_BY_TASK],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in imported if name.startswith("airflow.sdk.")] == []


@pytest.mark.parametrize("component", ["TaskRunnerMarker", "str"])
def test_a_task_loads_nothing(component: str, tmp_path: Path) -> None:
    assert not any(name.startswith("reelflow.services") for name in loaded_by(component, tmp_path))


@pytest.mark.parametrize("storage_url", ["", "s3://bucket"])
def test_s3_is_loaded_where_media_lie_there(
    storage_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_STORAGE_URL", storage_url)
    assert ("reelflow.storage.s3" in loaded_by("Job", tmp_path)) is bool(storage_url)


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look like a scheduler that has not read yet which executors it has."""
    monkeypatch.setitem(sys.modules, "airflow.jobs.scheduler_job_runner", ModuleType("loaded"))
    monkeypatch.setattr(executor_loader, "_executor_names", [])


class SubclassExecutor(LocalExecutor):
    """As somebody may have who changed a detail of it."""


ELSEWHERE = "airflow.executors.base_executor.BaseExecutor"


@pytest.mark.parametrize(
    ("executors", "forks_tasks"),
    [
        ("LocalExecutor", True),
        ("mine:LocalExecutor", True),
        (f"{ELSEWHERE}, LocalExecutor", True),
        (f"{__name__}.SubclassExecutor", True),
        (ELSEWHERE, False),
    ],
)
@pytest.mark.usefixtures("scheduler")
def test_a_scheduler_forks_tasks_with_the_local_executor(
    executors: str, forks_tasks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executors)
    assert preload._forks_tasks() is forks_tasks


@pytest.mark.usefixtures("scheduler")
def test_what_is_not_forked_from_it_is_no_use_to_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda: "spawn")
    assert not preload._forks_tasks()


def test_another_component_forks_no_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "airflow.jobs.scheduler_job_runner", raising=False)
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    assert not preload._forks_tasks()


@ON_BOTH_DATABASES
def test_statements_are_compiled_before_the_fork_and_no_connection_lives_through_it(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = workspace.ledger.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("REELFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("REELFLOW_DATABASE_URL", url)
    monkeypatch.setenv("REELFLOW_FERNET_KEY", FERNET_KEY)
    preload._warm_up()
    engine = _engine(url, keeps_connections=True)  # which the tasks have
    assert engine.pool.checkedin() == 0  # type: ignore[attr-defined] # of a queue pool
    compiled = len(engine._compiled_cache)
    with open_workspace(Settings.load()).ledger.read() as session, pytest.raises(PostNotFoundError):
        posts.get(session, -1)
    assert len(engine._compiled_cache) == compiled
    engine.dispose()


def test_a_ledger_that_is_not_there_keeps_no_scheduler_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setenv("REELFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("REELFLOW_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("REELFLOW_FERNET_KEY", FERNET_KEY)
    preload._warm_up()
    assert "tasks will start more slowly: the ledger" in caplog.text


def test_where_no_server_can_be_started_the_scheduler_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    allow_no_process(monkeypatch)
    preload._start_fork_server()
    assert "tasks will read videos more slowly: no process could be started" in caplog.text
    assert fork_server(decoder.LIBAV) is None


def test_where_libav_is_not_installed_the_scheduler_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    forget_files(monkeypatch)
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.delitem(sys.modules, "av", raising=False)
    preload._start_fork_server()
    assert "tasks will read videos more slowly: the package av is not installed" in caplog.text


def test_every_stage_is_there() -> None:
    for name in preload._STAGES:
        assert any(
            (root / f"{name.replace('.', '/')}.py").is_file()
            for root in (PLUGIN.parent, PLUGIN.parents[1] / "include")
        ), name
