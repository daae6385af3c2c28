"""A real stack for each file of end-to-end tests: Airflow's four components and the simulator."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
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


# Of a module, not of the session: it would run on, and take its share, beside all other tests.
@pytest.fixture(scope="module")
def stack(
    airflow_database: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    timing = {"REELFLOW_INBOX_QUIET_S": "2", "REELFLOW_WATCH_INTERVAL_S": "2"}
    folder = tmp_path_factory.mktemp("stack")
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
        simulator_arguments=("--link-polls", "0"),
    )
    with stack:
        stack.start(ACCOUNTS)
        stack.add_account(UNDECIDED, privacy=None)
        stack.wait_healthy()
        yield stack
        stack.check_alive()


@pytest.fixture
def scene(stack: Stack, tmp_path: Path) -> Iterator[Scene]:
    yield Scene(stack, tmp_path)
    # A failed test must not leave the simulator holding or failing calls of the next one.
    Scene(stack, tmp_path).simulator("POST", "/release")
