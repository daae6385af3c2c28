"""Tables of Airflow's own database, in the home that the tests give it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from airflow import settings
from airflow.models.base import Base
from sqlalchemy import Engine


@contextmanager
def airflow_tables(*names: str) -> Iterator[Engine]:
    """Make tables, empty, until the block ends; what Airflow's own sessions use is their engine."""
    tables = [Base.metadata.tables[name] for name in names]
    engine = settings.engine
    assert engine is not None
    # What is made here is dropped again: never in the Airflow of whoever runs the tests.
    assert engine.url.database == f"{os.environ['AIRFLOW_HOME']}/airflow.db"
    Base.metadata.create_all(engine, tables=tables)
    try:
        yield engine
    finally:
        assert settings.Session is not None
        settings.Session.remove()
        Base.metadata.drop_all(engine, tables=tables)
