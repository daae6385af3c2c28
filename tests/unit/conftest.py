"""Fixtures for all unit tests."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.emptied_database import EmptiedDatabases
from tests.postgresql import PostgresqlServer
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer


@pytest.fixture(scope="session")
def emptied_databases(postgresql_server: PostgresqlServer) -> Iterator[EmptiedDatabases]:
    with closing(EmptiedDatabases(postgresql_server)) as databases:
        yield databases


@pytest.fixture
def postgresql_url(emptied_databases: EmptiedDatabases) -> Iterator[str]:
    """An empty, migrated PostgreSQL ledger: one for all unit tests, each of which leaves some."""
    with emptied_databases.one() as url:
        yield url


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server in TikTok's place that answers what a test says, byte for byte."""
    server = ScriptedServer()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def closed_address() -> str:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closed_url(closed_address: str) -> str:
    return f"http://{closed_address}"
