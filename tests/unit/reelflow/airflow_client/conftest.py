"""Fixtures of the tests of what is asked of Airflow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.airflow_server import AirflowServer, airflow_server


@pytest.fixture
def airflow() -> Iterator[AirflowServer]:
    with airflow_server() as server:
        yield server
