"""Fixtures for what works on a ledger and a data folder (details in factories.py), or calls TikTok.

No test sees the Airflow or the settings of whoever runs it.
"""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from tests import factories
from tests.compiled_statements import share_compiled_statements
from tests.contract.storage.stores import S3Server
from tests.integration.simulator_process import Simulator
from tests.postgresql import NOT_INSTALLED, TEMPLATE, PostgresqlServer, start_migrated

REPOSITORY = Path(__file__).parents[1]

# No test measures time: how long an example takes tells how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
share_compiled_statements()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A script's background job ignores Ctrl+C, and so would what the tests start and press it in.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _airflow_home() -> tempfile.TemporaryDirectory[str]:
    """Give Airflow a home of the tests' own, before anything imports it."""
    home = tempfile.TemporaryDirectory(prefix="reelflow-airflow-")
    for name in list(os.environ):
        if name.startswith(("AIRFLOW", "REELFLOW_")):
            del os.environ[name]
    os.environ["AIRFLOW_HOME"] = home.name
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(REPOSITORY / "dags")
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(REPOSITORY / "plugins")
    return home


# Not in a hook: of tests that are named by their path, pytest imports the conftests in it first.
_AIRFLOW_HOME = _airflow_home()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and end what was begun for the tests."""
    config.addinivalue_line("markers", "both_databases: run on SQLite and on PostgreSQL")
    config.add_cleanup(_AIRFLOW_HOME.cleanup)


def pytest_collection_finish() -> None:
    """Take what was imported out of the garbage collector's rounds: it is looked at each time."""
    gc.collect()
    gc.freeze()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked ``both_databases`` on each, where it has a ledger at all."""
    marked = metafunc.definition.get_closest_marker("both_databases")
    if marked is not None and "database_url" in metafunc.fixturenames:
        metafunc.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one process have all tests of what is costly to start."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.work_units import WorkUnits

    return WorkUnits(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say once, not once for each test, that there is no PostgreSQL."""
    report = yield
    if isinstance(report.longrepr, tuple) and NOT_INSTALLED in report.longrepr[2]:
        report.longrepr = (str(REPOSITORY / "tests" / "postgresql.py"), 1, report.longrepr[2])
    return report


@pytest.fixture
def clock() -> factories.Clock:
    """A clock that moves only when told to; the ledger's own."""
    return factories.Clock()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """One server for all tests; they are skipped where none is installed."""
    server = start_migrated()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """A migrated PostgreSQL ledger of this test's own."""
    name = postgresql_server.create_database(template=TEMPLATE)
    try:
        yield postgresql_server.url(name)
    finally:
        postgresql_server.drop_database(name)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated ledger of this test's own: SQLite, unless ``ON_BOTH_DATABASES`` says otherwise."""
    if getattr(request, "param", "sqlite") == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return factories.migrated_sqlite(tmp_path)


@pytest.fixture
def workspace(tmp_path: Path, clock: factories.Clock, database_url: str) -> Workspace:
    """A migrated ledger and a data folder of this test's own."""
    return factories.open_workspace(tmp_path, clock, database_url=database_url)


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


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Simulator]:
    """A simulator in a process of its own."""
    simulator = Simulator()
    try:
        yield simulator
    finally:
        simulator.stop()


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    """The simulator, having forgotten everything."""
    simulator_process.reset()
    return simulator_process


@pytest.fixture(scope="session")
def s3_process() -> Iterator[S3Server]:
    """An S3 in a process of its own."""
    server = S3Server()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def s3_server(s3_process: S3Server) -> S3Server:
    """The S3, which has forgotten its faults and calls."""
    s3_process.reset()
    return s3_process
