"""A real stack for the end-to-end tests: Airflow's four components and the simulator."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from demo.postgresql import program_folder
from demo.stack import Stack
from tests.dags_folder import dags_folder
from tests.e2e.scene import Scene
from tests.postgresql import PostgresqlServer

#: `make test` has posts go through a bucket and two workers in tests/topology.
collect_ignore = [] if os.environ.get("E2E") else ["test_publish_from_s3.py"]

#: Accounts of the simulator. Each test uses its own where TikTok's limits (6 inits a minute) bind.
ACCOUNTS = ("aurora.kitchen", "north.trail", "paper.moon", "city.loops")
#: This one has no privacy level for its inbox.
UNDECIDED = "quiet.harbor"


@pytest.fixture(scope="session", autouse=True)
def ends_on_sigterm() -> Iterator[None]:
    """End as on Ctrl-C when told to stop, so that the stack is stopped too."""

    def stop(number: int, _frame: object) -> None:
        pytest.exit(f"signal {number}", returncode=128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    yield
    signal.signal(signal.SIGTERM, before)


class SharedStack:
    """One stack for all tests in a row that use it: it takes a minute of a processor to start."""

    def __init__(self) -> None:
        self._ends = ExitStack()
        self._stack: Stack | None = None

    def started(self, folder: Path, airflow_database: dict[str, str]) -> Stack:
        """Return the stack; start it if it does not run."""
        if self._stack is None:
            with ExitStack() as ends:
                stack = ends.enter_context(_running(folder, airflow_database))
                ends.callback(stack.check_alive)
                self._ends = ends.pop_all()
            self._stack = stack
        return self._stack

    def stop(self) -> None:
        """End it, if it runs; fail if a part of it has ended before."""
        self._stack = None
        self._ends.close()


SHARED = SharedStack()


@contextmanager
def _running(folder: Path, airflow_database: dict[str, str]) -> Iterator[Stack]:
    timing = {"REELFLOW_INBOX_QUIET_S": "2", "REELFLOW_WATCH_INTERVAL_S": "2"}
    dags = dags_folder(folder / "dags", "publish_to_tiktok", "prepare_media")
    stack = Stack(
        folder,
        extra_environment={
            **airflow_database,
            **timing,
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        },
        # A killed worker is noticed after this many seconds without a heartbeat.
        heartbeat_timeout_s=25,
        simulator_arguments=("--processing-polls", "0", "--link-polls", "0"),
    )
    with stack:
        stack.start(ACCOUNTS)
        stack.add_account(UNDECIDED, privacy=None)
        stack.wait_healthy()
        yield stack


@pytest.fixture(scope="module")
def airflow_database(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of Airflow's own database: PostgreSQL, or SQLite where no server is installed.

    On a busy machine Airflow finds its own SQLite locked, and refuses a backfill or a clear.
    """
    if program_folder() is None:
        return {}
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    url = server.url(server.create_database())
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": url,
    }


@pytest.fixture(scope="session")
def shared_stack(request: pytest.FixtureRequest) -> Iterator[SharedStack]:
    """The stack, to be started; it ends at the latest with the tests, before its database does."""
    if program_folder() is not None:
        request.getfixturevalue("postgresql_server")
    try:
        yield SHARED
    finally:
        SHARED.stop()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Stop the stack when the next test does not use it: it would take its share beside others."""
    if "shared_stack" not in getattr(nextitem, "fixturenames", ()):
        SHARED.stop()


@pytest.fixture(scope="module")
def stack(
    shared_stack: SharedStack,
    airflow_database: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Stack:
    return shared_stack.started(tmp_path_factory.mktemp("stack"), airflow_database)


@pytest.fixture
def scene(stack: Stack, tmp_path: Path) -> Iterator[Scene]:
    yield Scene(stack, tmp_path)
    # A failed test must not leave the simulator holding or failing calls of the next one.
    Scene(stack, tmp_path).simulator("POST", "/release")
