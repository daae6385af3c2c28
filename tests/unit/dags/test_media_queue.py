"""Which queue the tasks go to that read media."""

from __future__ import annotations

import pytest
from airflow.dag_processing.dagbag import DagBag

from tests.unit.dags.conftest import DAGS

MEDIA_TASKS = {"validate", "extract_metadata", "generate_thumbnail"}


def queues(name: str) -> dict[str, str]:
    bag = DagBag(dag_folder=str(DAGS / f"{name}.py"), safe_mode=False)
    assert bag.import_errors == {}
    return {task.task_id.rpartition(".")[2]: task.queue for task in bag.dags[name].tasks}


def test_without_a_setting_every_task_is_in_airflows_own_queue() -> None:
    assert set(queues("publish_to_tiktok").values()) == {"default"}


def test_media_tasks_go_to_the_queue_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_MEDIA_QUEUE", "media")
    found = queues("publish_to_tiktok")
    assert {task_id for task_id, queue in found.items() if queue == "media"} == MEDIA_TASKS
    assert set(found.values()) == {"media", "default"}
    assert set(queues("prepare_media").values()) == {"media"}


def test_a_list_of_queues_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_MEDIA_QUEUE", "media,default")
    bag = DagBag(dag_folder=str(DAGS / "prepare_media.py"), safe_mode=False)
    (error,) = bag.import_errors.values()
    assert "REELFLOW_MEDIA_QUEUE is 'media,default'" in error
