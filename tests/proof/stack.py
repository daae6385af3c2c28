"""The stack of the proof: each component of Airflow is a process to be killed and started again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import requests

from demo.commands import run_script
from demo.environment import USER
from demo.exceptions import StackError
from demo.processes import ProcessId, end_processes, signals_ignored
from demo.stack import Stack
from demo.waiting import wait_until
from reelflow.domain.post import PrivacyLevel
from reelflow.ledger import accounts
from reelflow.ledger.accounts import TokenSet
from tests.dags_folder import dags_folder
from tests.postgresql import TEMPLATE, PostgresqlServer
from tests.proof.ledger import LedgerView
from tiktok_simulator.accounts import make_accounts

#: Enough that a burst of 100 keeps to TikTok's six inits a minute and account.
ACCOUNTS = tuple(one.username for one in make_accounts(count=20))
#: What publishes; what runs beside it, with a DAG of somebody else's that follows, is paused first.
DAGS = (
    *("publish_to_tiktok", "prepare_media", "approve_posts", "reconcile_publications"),
    *("refresh_tiktok_tokens", "collect_post_metrics", "sweep_storage", "follow_published"),
)
#: A task whose supervisor was killed is noticed after this time.
HEARTBEAT_TIMEOUT_S = 45
#: Beside what else a machine has to do, Airflow comes up in this time.
HEALTHY_S = 240.0
SECOND_SCHEDULER = "scheduler-2"

_SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "8",
    # A component that was killed is missed soon, and what it did is taken over. Not sooner: on a
    # busy machine a living scheduler is silent for half a minute, and would bury itself.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "45",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "30",
    "REELFLOW_INBOX_QUIET_S": "0",
    "REELFLOW_WATCH_INTERVAL_S": "1",
}
_NO_SETTINGS: Mapping[str, str] = {}


@contextmanager
def open_proof_stack(
    folder: Path,
    server: PostgresqlServer,
    *,
    account_names: Sequence[str] = ACCOUNTS,
    dags: Sequence[str] = DAGS,
    extra_environment: Mapping[str, str] = _NO_SETTINGS,
) -> Iterator[ProofStack]:
    """Start a stack on two databases of its own, and stop it at the end.

    :param server: holds Airflow's database and the ledger
    :param dags: the first one publishes; the others are paused
    :param extra_environment: settings put over those of the proof
    """
    metadata, ledger = (
        server.create_database(template=template) for template in ("template0", TEMPLATE)
    )
    # LocalExecutor's workers are forked with the scheduler's connections. Where it is killed and
    # they live on, nobody closes these, and its run stays locked until somebody does.
    server.execute(f"ALTER DATABASE {metadata} SET idle_in_transaction_session_timeout = '30s'")
    try:
        stack = ProofStack(
            folder / "stack",
            metadata_url=server.url(metadata),
            ledger_url=server.url(ledger),
            dags=dags_folder(folder / "dags", *dags),
            account_names=account_names,
            extra_environment=extra_environment,
        )
        with stack:
            stack.start()
            stack.connect_accounts()
            stack.wait_healthy(HEALTHY_S, dag_ids=dags[:1])
            stack.pause(dags[1:])
            yield stack
    finally:
        for name in (metadata, ledger):
            server.drop_database(name)


class ProofStack(Stack):
    """A stack on PostgreSQL whose components may die.

    :param metadata_url: Airflow's database
    :param ledger_url: the ledger, migrated
    :param dags: the folder of the DAGs
    :param account_names: of the simulator's creators, the first of which there are that many
    :param extra_environment: settings put over those of the proof
    """

    def __init__(
        self,
        folder: Path,
        *,
        metadata_url: str,
        ledger_url: str,
        dags: Path,
        account_names: Sequence[str],
        extra_environment: Mapping[str, str] = _NO_SETTINGS,
    ) -> None:
        super().__init__(
            folder,
            extra_environment={
                **_SETTINGS,
                **extra_environment,
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url,
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": metadata_url,
                "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
                "REELFLOW_DATABASE_URL": ledger_url,
            },
            heartbeat_timeout_s=HEARTBEAT_TIMEOUT_S,
            simulator_arguments=(
                "--processing-polls",
                "0",
                "--link-polls",
                "0",
                "--accounts",
                str(len(account_names)),
            ),
        )
        self.metadata_url = metadata_url
        self.account_names = tuple(account_names)
        self.ledger = LedgerView(
            ledger_url, self.environment["REELFLOW_FERNET_KEY"], self.folders.reelflow_home
        )
        self._commands: dict[str, list[str | Path]] = {}
        self._killed: list[ProcessId] = []

    def connect_accounts(self) -> None:
        """Give the ledger every account with the tokens that the simulator began with."""
        workspace = self.ledger.workspace
        with workspace.ledger.write() as session:
            for one in self._granted():
                accounts.save(
                    session,
                    workspace.ledger.cipher,
                    open_id=one["open_id"],
                    name=one["username"],
                    tokens=TokenSet(one["access_token"], refresh_token=one["refresh_token"]),
                    now=workspace.ledger.now(),
                    inbox_privacy_level=PrivacyLevel.PUBLIC_TO_EVERYONE,
                )
        for name in self.account_names:
            (self.inbox / name).mkdir(exist_ok=True, mode=0o700)

    def pause(self, dag_ids: Sequence[str]) -> None:
        """Pause DAGs as soon as Airflow knows them."""
        wait_until(
            lambda: self.airflow.dag_ids() >= set(dag_ids),
            deadline_s=HEALTHY_S,
            waiting_for=f"{', '.join(dag_ids)} to be parsed",
            check=self.check_alive,
        )
        for dag_id in dag_ids:
            self.api("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": True})

    def plan(self, start: str, end: str, behavior: str) -> dict[str, Any]:
        """Return what ``reelflow plan --json`` says."""
        planned: dict[str, Any] = json.loads(self.print_plan(start, end, behavior, "--json"))
        return planned

    def print_plan(self, start: str, end: str, behavior: str, *options: str) -> str:
        """Return what ``reelflow plan`` prints, by a token of the stack's user."""
        who = {"username": USER, "password": self.password}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(f"{self.url}/auth/token", json=who, timeout=30)
        answer.raise_for_status()
        return run_script(
            *("reelflow", "plan", "--from", start, "--to", end),
            *("--reprocess-behavior", behavior, *options),
            environment={
                **self.environment,
                "REELFLOW_AIRFLOW_TOKEN": answer.json()["access_token"],
            },
            folder=self.folders.root,
        )

    def kill(self, name: str, *, alone: bool = False) -> None:
        """Kill a component with SIGKILL; it stays dead until :meth:`restart`.

        :param alone: what it started goes on, as after the kernel has run out of memory; else all
            of it dies at once, as with its machine
        """
        component = next(one for one in self.components if one.name == name)
        process = psutil.Process(component.popen.pid)
        victims = [process] if alone else [process, *process.children(recursive=True)]
        self.components.remove(component)  # whose end is no failure of the stack
        self._killed.append(component.identity)
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        component.popen.wait()

    def restart(self, name: str) -> None:
        """Start a component that was killed."""
        self._start_component(name, self._commands[name])

    def start_second_scheduler(self) -> None:
        """Start another scheduler, with an executor of its own."""
        self._start_component(SECOND_SCHEDULER, self._commands["scheduler"])

    def end(self, name: str) -> None:
        """End a component in good order."""
        component = next(one for one in self.components if one.name == name)
        self.components.remove(component)
        end_processes([component.identity])
        component.popen.wait()

    @contextmanager
    def settings(self, changes: Mapping[str, str], *names: str) -> Iterator[None]:
        """Run components with other settings for a while.

        :param names: of the components that are started anew, before and after
        """
        before = self.environment
        self.environment = {**before, **changes}
        try:
            self._start_anew(names)
            yield
        finally:
            self.environment = before
            self._start_anew(names)

    def mend(self) -> None:
        """Start what a case left dead, end the second scheduler and what killed ones left."""
        running = {one.name for one in self.components}
        if SECOND_SCHEDULER in running:
            self.end(SECOND_SCHEDULER)
        self._end_orphans()
        for name in self._commands:
            if name not in running and name != SECOND_SCHEDULER:
                self.restart(name)
        self.check_alive()

    def stop(self) -> None:
        """End every component, and what killed ones left."""
        super().stop()
        with signals_ignored():
            self._end_orphans()
        self.ledger.close()

    def _start_component(self, name: str, argv: Sequence[str | Path]) -> None:
        self._commands[name] = list(argv)
        super()._start_component(name, argv)

    def _start_anew(self, names: Sequence[str]) -> None:
        for name in names:
            if name in {one.name for one in self.components}:
                self.end(name)
            self.restart(name)

    def _end_orphans(self) -> None:
        end_processes(self._killed)
        self._killed.clear()

    def _granted(self) -> list[dict[str, Any]]:
        """Return the accounts of the simulator's ready line, with their refresh tokens."""
        log = (self.folders.logs / "simulator.log").read_text()
        for line in log.splitlines():
            if line.startswith("{"):
                granted: list[dict[str, Any]] = json.loads(line)["accounts"]
                return granted
        raise StackError("the simulator has not said that it is ready")
