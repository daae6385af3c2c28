"""The DAGs that the documentation shows as examples."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import Asset
from airflow.serialization.serialized_objects import DagSerialization

from reelflow_provider.assets import PUBLISHED

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.fixture(scope="module")
def examples() -> DagBag:
    return DagBag(dag_folder=str(EXAMPLES), safe_mode=False)


def test_each_can_be_read_and_scheduled(examples: DagBag) -> None:
    assert examples.import_errors == {}
    assert set(examples.dags) == {path.stem for path in EXAMPLES.glob("*.py")}
    for dag in examples.dags.values():
        DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))


def test_who_follows_published_posts_names_the_asset_that_is_announced(examples: DagBag) -> None:
    dag = examples.dags["follow_published"]
    assert Asset.ref(name=PUBLISHED.name) in dag.get_task("tell").inlets
