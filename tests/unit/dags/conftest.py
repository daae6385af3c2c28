"""The DAGs as Airflow reads them: ``dag`` is the one that a module of tests is named after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

DAGS = Path(__file__).parents[3] / "dags"
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/inbox"
#: With these, the optional DAG is there as well.
WITH_A_QUEUE = {
    "REELFLOW_SQS_QUEUE_URL": QUEUE,
    "REELFLOW_STORAGE_URL": "s3://bucket?connection=media",
}


@pytest.fixture(scope="module")
def bag() -> DagBag:
    """Every DAG file of ours, the optional one as well."""
    with pytest.MonkeyPatch.context() as environ:
        for name, value in WITH_A_QUEUE.items():
            environ.setenv(name, value)
        return DagBag(dag_folder=str(DAGS), safe_mode=False)


@pytest.fixture(scope="module")
def dag(bag: DagBag, request: pytest.FixtureRequest) -> DAG:
    dag = bag.dags[request.path.stem.removeprefix("test_")]
    assert isinstance(dag, DAG)
    return dag


@pytest.fixture(scope="module")
def as_scheduled(dag: DAG) -> Any:
    """The DAG as the scheduler has it: serialised, stored and read again."""
    return DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))


def edges_of(dag: Any) -> set[tuple[str, str]]:
    return {(task.task_id, below) for task in dag.tasks for below in task.downstream_task_ids}
