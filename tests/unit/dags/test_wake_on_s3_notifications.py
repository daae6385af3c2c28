"""The optional DAG ``wake_on_s3_notifications``: there where a queue is named, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from reelflow_provider.assets import UPLOADS
from tests.dags_folder import dags_folder
from tests.unit.dags.conftest import DAGS, QUEUE, edges_of

NAME = "wake_on_s3_notifications"

ReadFile = Any


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReadFile:
    """Read the file as the DAG processor does, with settings."""

    def read_with(**settings: str) -> DagBag:
        for name, value in settings.items():
            monkeypatch.setenv(f"REELFLOW_{name}", value)
        return DagBag(dag_folder=str(dags_folder(tmp_path / "dags", NAME)), safe_mode=False)

    return read_with


@pytest.fixture
def dag(read: ReadFile) -> DAG:
    bag = read(SQS_QUEUE_URL=QUEUE, STORAGE_URL="s3://bucket?connection=media")
    assert bag.import_errors == {}
    dag = bag.dags[NAME]
    assert isinstance(dag, DAG)
    return dag


def test_without_a_queue_there_is_no_dag_and_nobody_pays_for_its_imports() -> None:
    code = (
        "import runpy, sys; found = runpy.run_path(sys.argv[1]);"
        "assert not [name for name in sys.modules if name.startswith(('airflow', 'boto'))];"
        "assert 'dag' not in found"
    )
    environ = {name: value for name, value in os.environ.items() if "SQS" not in name}
    subprocess.run(
        [sys.executable, "-c", code, str(DAGS / f"{NAME}.py")], env=environ, check=True, timeout=60
    )


def test_it_asks_the_queue_with_the_connection_of_the_bucket(dag: DAG) -> None:
    stored: Any = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    ((_, asset),) = stored.timetable.asset_condition.iter_assets()
    (watcher,) = asset.watchers
    assert watcher.trigger["classpath"] == "reelflow_provider.s3_notifications.QueueTrigger"
    asked = watcher.trigger["kwargs"]
    assert (asked["sqs_queue"], asked["aws_conn_id"]) == (QUEUE, "media")
    assert asked["delete_message_on_reception"]


def test_what_came_is_quiet_before_publishing_is_woken_and_no_worker_waits(dag: DAG) -> None:
    assert edges_of(dag) == {("wait_until_quiet", "wake_publishing")}
    wait, wake = dag.get_task("wait_until_quiet"), dag.get_task("wake_publishing")
    assert wait.deferrable
    assert wait.time_to_wait == timedelta(seconds=11)
    assert wake.outlets == [UPLOADS]
    assert dag.max_active_runs == 1


def test_the_uploads_keep_their_watcher(dag: DAG) -> None:
    """Airflow removes the watchers of an asset that some DAG declares without them."""
    (outlet,) = dag.get_task("wake_publishing").outlets
    assert outlet.watchers == UPLOADS.watchers


def test_a_queue_without_a_bucket_is_an_import_error_with_both_settings(read: ReadFile) -> None:
    (error,) = read(SQS_QUEUE_URL=QUEUE).import_errors.values()
    assert f"REELFLOW_SQS_QUEUE_URL is {QUEUE!r}, but REELFLOW_STORAGE_URL names no" in error


def test_what_is_no_queue_is_an_import_error_with_its_value(read: ReadFile) -> None:
    (error,) = read(SQS_QUEUE_URL="inbox", STORAGE_URL="s3://bucket").import_errors.values()
    assert "REELFLOW_SQS_QUEUE_URL is 'inbox'" in error
    assert "https://sqs.REGION.amazonaws.com/ACCOUNT/NAME" in error
