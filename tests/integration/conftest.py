"""A publisher before the simulator process of tests/conftest.py, and servers of the intake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from reelflow.services.workspace import Workspace
from tests import factories
from tests.contract.storage.stores import S3Server
from tests.integration.intake_server import (
    IntakeServer,
    forget_everything,
    local_settings,
    new_settings,
    serving_intake,
)
from tests.integration.killed_server import KilledServer
from tests.integration.plugin_server import PluginServer
from tests.integration.publisher import Publisher
from tests.integration.serve_server import ServeServer
from tests.integration.simulator_process import Simulator

_Server = TypeVar("_Server", ServeServer, PluginServer)


def _until_the_end(server: _Server) -> Iterator[_Server]:
    """Give a server to the tests, and stop it after the last of them."""
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def publisher(workspace: Workspace, clock: factories.Clock, simulator: Simulator) -> Publisher:
    """An account of the simulator's in a ledger of this test's own."""
    creator = simulator.accounts[0]
    account = factories.make_account(
        workspace, "aurora", open_id=creator["open_id"], access_token=creator["access_token"]
    )
    return Publisher(workspace, clock, simulator, account)


@pytest.fixture(scope="session")
def intake_s3(s3_process: S3Server) -> S3Server:
    """The S3 of all servers of the intake; each has a bucket of its own there."""
    return s3_process


@pytest.fixture(scope="session")
def serve_local_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeServer]:
    """`reelflow serve`, with files in a folder."""
    yield from _until_the_end(ServeServer(tmp_path_factory.mktemp("serve")))


@pytest.fixture(scope="session")
def serve_s3_server(
    tmp_path_factory: pytest.TempPathFactory, intake_s3: S3Server
) -> Iterator[ServeServer]:
    """`reelflow serve`, with files in S3."""
    yield from _until_the_end(ServeServer(tmp_path_factory.mktemp("serve"), intake_s3))


@pytest.fixture(scope="session")
def plugin_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PluginServer]:
    """Airflow's API server, with files in a folder."""
    yield from _until_the_end(PluginServer(tmp_path_factory.mktemp("plugin")))


@pytest.fixture(scope="session")
def plugin_s3_server(
    tmp_path_factory: pytest.TempPathFactory, intake_s3: S3Server
) -> Iterator[PluginServer]:
    """Airflow's API server, with files in S3."""
    yield from _until_the_end(PluginServer(tmp_path_factory.mktemp("plugin"), intake_s3))


@pytest.fixture
def serving(request: pytest.FixtureRequest) -> IntakeServer:
    """A server of the intake, its ledger and store empty: `reelflow serve`, its files in a folder.

    Or what the marks of :mod:`tests.integration.intake_server` say. A test that also has the
    fixture ``simulator`` gets it as the server's TikTok.
    """
    where = getattr(request, "param", "local")
    name = where if where.startswith("plugin") else f"serve_{where}"
    server: ServeServer | PluginServer = request.getfixturevalue(f"{name}_server")
    return server.fresh(_simulator(request))


def _simulator(request: pytest.FixtureRequest) -> Simulator | None:
    """Return the TikTok of a test that has one."""
    if "simulator" not in request.fixturenames:
        return None
    simulator: Simulator = request.getfixturevalue("simulator")
    return simulator


@pytest.fixture
def killed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KilledServer]:
    """A server to kill, as a name of :mod:`tests.integration.killed_server` says."""
    server, files, ledger = request.param.split("-")
    s3: S3Server | None = None
    if files == "s3":
        s3 = request.getfixturevalue("intake_s3")
        s3.reset()
    postgresql_url = request.getfixturevalue("postgresql_url") if ledger == "postgresql" else None
    settings, _ = new_settings(tmp_path, s3, database_url=postgresql_url)
    killed = KilledServer(settings, is_plugin=server == "plugin")
    try:
        yield killed
    finally:
        killed.kill()
        forget_everything(killed.workspace)


@pytest.fixture(scope="module")
def shared_serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    """A server on a folder for all tests of a module: for those that leave nothing behind."""
    home = tmp_path_factory.mktemp("intake")
    settings = local_settings(home, factories.migrated_sqlite(home))
    with serving_intake(settings) as server:
        yield server
