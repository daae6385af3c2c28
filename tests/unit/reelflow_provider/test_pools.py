"""The pools: there when a component of Airflow has started, with an operator's slots kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from airflow.models.pool import Pool
from sqlalchemy import Engine, event, insert, text

from reelflow.airflow_settings import AirflowSettings
from reelflow_provider import preload
from reelflow_provider.pools import make_missing_pools
from tests.unit.reelflow_provider.airflow_tables import airflow_tables


@pytest.fixture(autouse=True)
def engine() -> Iterator[Engine]:
    """Airflow's own database, of which pools need two tables."""
    with airflow_tables("team", "slot_pool") as engine:
        yield engine


def slots() -> dict[str | None, int]:
    return {pool.pool: pool.slots for pool in Pool.get_pools()}


class Job:
    """Named as Airflow's own: what its components are."""


def test_a_component_that_starts_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_UPLOAD_POOL_SLOTS", "4")
    preload.on_starting(Job())
    assert slots() == {"reelflow_uploads": 4, "reelflow_media": 16}
    assert {pool.include_deferred for pool in Pool.get_pools()} == {False}


def test_a_task_that_starts_makes_none() -> None:
    preload.on_starting(object())
    assert slots() == {}


def test_what_an_operator_set_is_kept() -> None:
    make_missing_pools(AirflowSettings())
    Pool.create_or_update_pool("reelflow_media", 2, "two cores", include_deferred=False)
    make_missing_pools(AirflowSettings())
    assert slots() == {"reelflow_uploads": 32, "reelflow_media": 2}


def test_a_pool_of_somebody_elses_is_left_as_it_is() -> None:
    Pool.create_or_update_pool("default_pool", 128, "Default pool", include_deferred=False)
    make_missing_pools(AirflowSettings(upload_pool="default_pool", media_pool="default_pool"))
    assert slots() == {"default_pool": 128}


def test_one_that_another_component_makes_at_the_same_moment_is_no_trouble(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def make_it_first(*_: object) -> None:
        with engine.begin() as connection:
            values = {"pool": "reelflow_media", "slots": 16, "include_deferred": False}
            connection.execute(insert(Pool.__table__).values(values))

    # After we looked, and before we write.
    event.listen(Pool, "before_insert", make_it_first, once=True)
    with caplog.at_level(logging.WARNING):
        make_missing_pools(AirflowSettings(upload_pool="reelflow_media"))
    assert caplog.records == []
    assert slots() == {"reelflow_media": 16}


def test_a_database_that_cannot_be_used_is_told_with_the_command(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE slot_pool"))
    with caplog.at_level(logging.WARNING):
        make_missing_pools(AirflowSettings())
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "airflow pools set reelflow_uploads 32 'Reelflow: uploads to TikTok'" in caplog.text


def test_wrong_settings_are_told_and_no_reason_not_to_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REELFLOW_MEDIA_POOL_SLOTS", "0")
    with caplog.at_level(logging.WARNING):
        preload.on_starting(Job())
    assert "no pools are made: settings are wrong: REELFLOW_MEDIA_POOL_SLOTS is '0'" in caplog.text
    assert slots() == {}
