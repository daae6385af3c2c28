"""The stack of the orchestration benchmarks: PostgreSQL under Airflow and ledger, many accounts."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from demo.postgresql import program_folder
from demo.processes import ProcessId, cpu_seconds
from demo.stack import Stack
from reelflow.domain.post import PrivacyLevel
from reelflow.ledger import accounts
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.engine import open_engine
from reelflow.ledger.ledger import Ledger
from tests.postgresql import NOT_INSTALLED, PostgresqlServer

NOOP_DAG_ID = "noop"
NOOP_FOLDER = Path(__file__).resolve().parent / "noop_dag"
_LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
#: Beside our DAGs, the one whose tasks do nothing.
BUNDLES = [
    {"name": "dags-folder", "classpath": _LOCAL_BUNDLE, "kwargs": {}},
    {"name": "bench", "classpath": _LOCAL_BUNDLE, "kwargs": {"path": str(NOOP_FOLDER)}},
]
#: Task instances at once, as the target says.
PARALLELISM = 16
PROCESSORS = 2
#: Few enough that no account's budget holds one up.
POSTS_AN_ACCOUNT = 5


@contextmanager
def postgresql_stack(
    *,
    account_count: int,
    environment: Mapping[str, str] | None = None,
    simulator_arguments: Sequence[str] = (),
) -> Iterator[BenchStack]:
    """Start a stack with PostgreSQL as it comes: durable, with hashed passwords.

    It is in a folder of its own, which is deleted at the end.
    """
    programs = program_folder()
    if programs is None:
        sys.exit(NOT_INSTALLED)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:PROCESSORS])
    server = PostgresqlServer(programs, settings={}, authentication="scram-sha-256")
    try:
        settings = {
            **_databases(server),
            "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
            **(environment or {}),
        }
        arguments = ("--accounts", str(account_count), *simulator_arguments)
        with (
            tempfile.TemporaryDirectory(prefix="reelflow-bench-") as folder,
            BenchStack(
                Path(folder), server, extra_environment=settings, simulator_arguments=arguments
            ) as stack,
        ):
            stack.start()
            stack.add_accounts()
            yield stack
    finally:
        server.stop()


def accounts_for(posts: int) -> int:
    """Return how many accounts share so many posts."""
    return -(-posts // POSTS_AN_ACCOUNT)


def _databases(server: PostgresqlServer) -> dict[str, str]:
    airflow, ledger = (server.url(server.create_database()) for _ in range(2))
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": airflow,
        "REELFLOW_DATABASE_URL": ledger,
    }


class BenchStack(Stack):
    """A stack that can tell what each of its programs costs.

    :param server: of its databases
    """

    def __init__(
        self,
        folder: Path,
        server: PostgresqlServer,
        *,
        extra_environment: Mapping[str, str],
        simulator_arguments: Sequence[str],
    ) -> None:
        super().__init__(
            folder, extra_environment=extra_environment, simulator_arguments=simulator_arguments
        )
        started_at = psutil.Process(server.pid).create_time()
        self._database = ProcessId("postgresql", server.pid, started_at)

    @property
    def ledger(self) -> Ledger:
        """The stack's ledger, as this process sees it."""
        return Ledger(
            open_engine(self.environment["REELFLOW_DATABASE_URL"]),
            Cipher(self.environment["REELFLOW_FERNET_KEY"]),
        )

    def add_accounts(self) -> None:
        """Register all of the simulator's accounts, with their inbox folders."""
        ledger = self.ledger
        with ledger.write() as session:
            for one in self.running_simulator().accounts:
                accounts.save(
                    session,
                    ledger.cipher,
                    open_id=one.open_id,
                    name=one.username,
                    tokens=accounts.TokenSet(one.access_token),
                    now=ledger.now(),
                    inbox_privacy_level=PrivacyLevel.PUBLIC_TO_EVERYONE,
                )
                (self.inbox / one.username).mkdir(exist_ok=True, mode=0o700)

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds that each program has used with its children; not TikTok's.

        The scheduler's children are the tasks.
        """
        programs = [one.identity for one in self.components if one.name != "simulator"]
        return {one.name: cpu_seconds([one]) for one in [*programs, self._database]}
