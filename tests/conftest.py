"""Fixtures for what works on a ledger and a data folder (details in factories.py), or calls TikTok.

No test sees the Airflow or the settings of whoever runs it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from tests import factories
from tests.integration.simulator_process import Simulator

REPOSITORY = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Give Airflow a home of the tests' own, before anything imports it."""
    home = tempfile.TemporaryDirectory(prefix="reelflow-airflow-")
    config.add_cleanup(home.cleanup)
    for name in list(os.environ):
        if name.startswith(("AIRFLOW", "REELFLOW_")):
            del os.environ[name]
    os.environ["AIRFLOW_HOME"] = home.name
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(REPOSITORY / "dags")
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(REPOSITORY / "plugins")


@pytest.fixture
def clock() -> factories.Clock:
    """A clock that moves only when told to; the ledger's own."""
    return factories.Clock()


@pytest.fixture
def workspace(tmp_path: Path, clock: factories.Clock) -> Workspace:
    """A migrated SQLite ledger and a data folder of this test's own."""
    return factories.open_workspace(tmp_path, clock)


@pytest.fixture
def make_account(workspace: Workspace) -> Callable[..., Account]:
    return partial(factories.make_account, workspace)


@pytest.fixture
def make_post(workspace: Workspace) -> Callable[..., Post]:
    return partial(factories.make_post, workspace)


@pytest.fixture
def account(make_account: Callable[..., Account]) -> Account:
    """The account ``acme``."""
    return make_account("acme")


@pytest.fixture
def drop(workspace: Workspace) -> Callable[..., Path]:
    return partial(factories.drop, workspace)


@pytest.fixture
def read_post(workspace: Workspace) -> Callable[[int], Post]:
    return partial(factories.read_post, workspace)


@pytest.fixture(scope="module")
def simulator_process() -> Iterator[Simulator]:
    """A simulator in a process of its own, one for each module of tests."""
    simulator = Simulator()
    try:
        yield simulator
    finally:
        simulator.stop()


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    """The module's simulator, having forgotten everything."""
    simulator_process.reset()
    return simulator_process
