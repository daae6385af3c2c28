"""The aliases: a DAG processor that starts ties them to their assets, and nobody else does."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from airflow.models.asset import AssetAliasModel, AssetModel
from airflow.utils.session import create_session
from sqlalchemy import Engine, select, text

from reelflow_provider import preload
from reelflow_provider.aliases import tie_aliases
from tests.unit.reelflow_provider.airflow_tables import airflow_tables

TIED = {
    "reelflow_collected_metrics": ["reelflow_post_metrics"],
    "reelflow_published_posts": ["reelflow_published"],
}


@pytest.fixture(autouse=True)
def engine() -> Iterator[Engine]:
    """Airflow's own database, with the tables of assets and pools."""
    with airflow_tables(*("asset", "asset_alias", "asset_alias_asset", "team", "slot_pool")) as one:
        yield one


@pytest.fixture
def dag_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look like a DAG processor."""
    monkeypatch.setitem(sys.modules, "airflow.jobs.dag_processor_job_runner", ModuleType("loaded"))


class Job:
    """Named as Airflow's own: what its components are."""


def tied() -> dict[str, list[str]]:
    """Return the names of assets by their aliases."""
    with create_session() as session:
        rows = session.scalars(select(AssetAliasModel)).all()
        return {one.name: [asset.name for asset in one.assets] for one in rows}


@pytest.mark.usefixtures("dag_processor")
def test_a_dag_processor_that_starts_ties_them() -> None:
    preload.on_starting(Job())
    assert tied() == TIED


def test_a_component_that_parses_nothing_ties_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "airflow.jobs.dag_processor_job_runner", raising=False)
    preload.on_starting(Job())
    assert tied() == {}


def test_what_there_is_already_is_completed_and_kept() -> None:
    with create_session() as session:
        session.add(AssetAliasModel(name="reelflow_published_posts"))
        session.add(AssetModel(name="reelflow_post_metrics", uri="x-reelflow://post_metrics"))
    for _ in range(2):
        with create_session() as session:
            tie_aliases(session)
        assert tied() == TIED


@pytest.mark.usefixtures("dag_processor")
def test_a_database_that_cannot_be_used_keeps_no_dag_processor_from_starting(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE asset_alias"))
    with caplog.at_level(logging.INFO):
        preload.on_starting(Job())
    assert "aliases are tied to their assets by the first event: OperationalError" in caplog.text
