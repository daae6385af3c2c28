"""Two tasks that announce first at the same moment, in a database of Airflow's on PostgreSQL."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest
from airflow.api_fastapi.execution_api.datamodels.asset import AssetProfile
from airflow.models import import_all_models
from airflow.models.asset import AssetAliasModel, AssetEvent, AssetModel
from airflow.models.base import Base
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import Asset, AssetAlias
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session

from demo.waiting import wait_until
from reelflow_provider.aliases import tie_aliases
from reelflow_provider.assets import ALIASES
from tests.postgresql import PostgresqlServer

WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
BY_NAME = select(AssetAliasModel).order_by(AssetAliasModel.name)


@pytest.fixture
def engine(postgresql_server: PostgresqlServer) -> Iterator[Engine]:
    """Airflow's database, with the tables that a new installation begins with."""
    name = postgresql_server.create_database()
    engine = create_engine(postgresql_server.url(name))
    try:
        import_all_models()
        Base.metadata.create_all(engine)
        yield engine
    finally:
        engine.dispose()
        postgresql_server.drop_database(name)


@dataclass
class EndedTask:
    """What Airflow's API server reads of a task whose success it registers."""

    map_index: int
    dag_id: str = "publish_to_tiktok"
    task_id: str = "post.clean_up_files"
    run_id: str = "asset_triggered__tests"
    log = logging.getLogger(__name__)
    dag_run = SimpleNamespace(partition_key=None, partition_date=None)


def register(session: Session, map_index: int, alias: AssetAlias, asset: Asset) -> None:
    """Register the success of a task that announced, as Airflow's API server does."""
    event = {
        "source_alias_name": alias.name,
        "dest_asset_key": {"name": asset.name, "uri": asset.uri},
        "dest_asset_extra": {},
        "extra": {"post_id": map_index},
    }
    TaskInstance.register_asset_changes_in_db(
        cast("TaskInstance", EndedTask(map_index)),
        [AssetProfile(name=alias.name, type="AssetAlias")],
        [event],
        session=session,
    )


def register_at_once(engine: Engine, alias: AssetAlias, asset: Asset) -> None:
    """Let the second task's success come before the first one's is committed."""

    def second() -> None:
        with Session(engine) as session, session.begin():
            register(session, 2, alias, asset)

    with ThreadPoolExecutor() as pool, Session(engine) as session:
        register(session, 1, alias, asset)
        later = pool.submit(second)
        wait_until(
            lambda: later.done() or somebody_waits(engine),
            deadline_s=30,
            waiting_for="the second task to be registered, or to wait for the first one",
        )
        session.commit()
        later.result()


def somebody_waits(engine: Engine) -> bool:
    with engine.connect() as connection:
        return bool(connection.scalar(WAITING))


@pytest.mark.parametrize(("alias", "asset"), ALIASES)
def test_both_of_two_first_announcements_at_once_are_taken(
    alias: AssetAlias, asset: Asset, engine: Engine
) -> None:
    with Session(engine) as session, session.begin():
        tie_aliases(session)
    register_at_once(engine, alias, asset)
    with Session(engine) as session:
        events = session.execute(
            select(AssetModel.name, AssetEvent.extra)
            .join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
            .order_by(AssetEvent.source_map_index)
        ).all()
    assert events == [(asset.name, {"post_id": 1}), (asset.name, {"post_id": 2})]


def test_what_is_tied_stays_as_it_is(engine: Engine) -> None:
    for _ in range(2):
        with Session(engine) as session, session.begin():
            tie_aliases(session)
    with Session(engine) as session:
        rows = session.scalars(BY_NAME).all()
        tied = [(one.name, [asset.name for asset in one.assets]) for one in rows]
    assert tied == sorted((alias.name, [asset.name]) for alias, asset in ALIASES)
