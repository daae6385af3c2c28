"""The whole of it on one machine: simulator, web application, Airflow; each part a process."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from demo import environment as settings
from demo.airflow_api import AirflowApi
from demo.commands import run_script, script
from demo.exceptions import StackError
from demo.processes import (
    Component,
    end_processes,
    signals_ignored,
    start_component,
)
from demo.record import StackRecord
from demo.simulator import Simulator, read_ready_line
from demo.waiting import wait_until
from demo.web import is_web_healthy
from reelflow.services.report import list_posts
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings

DAG_ID = "publish_to_tiktok"
PRIVACY = "PUBLIC_TO_EVERYONE"
SIMULATOR_DEADLINE_S = 30.0

# Logs of tasks and triggers are read from the shared folder, so nobody needs to serve them.
AIRFLOW_COMPONENTS: dict[str, list[str]] = {
    "api-server": ["api-server", "--workers", "1", "--host", settings.ADDRESS],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
HEALTH_NAMES = ("metadatabase", "scheduler", "dag_processor", "triggerer")


class Stack:
    """Starts, watches and stops simulator, web application and Airflow, all under one folder.

    As a context manager it stops on the way out, also after an error or Ctrl-C.

    :param folder: holds databases, logs and the inbox; made if it is not there
    :param extra_environment: settings put over ours, for every process
    :param heartbeat_timeout_s: seconds after which Airflow takes a silent task for dead
    :param simulator_arguments: options of ``python -m tiktok_simulator``
    """

    def __init__(
        self,
        folder: Path,
        *,
        extra_environment: Mapping[str, str] | None = None,
        heartbeat_timeout_s: int = 60,
        simulator_arguments: Sequence[str] = (),
    ) -> None:
        self.folders = settings.StackFolders(folder.resolve())
        self.api_port, self.web_port = settings.free_port(), settings.free_port()
        self.password = self.api_key = ""
        self.components: list[Component] = []
        self.simulator: Simulator | None = None
        self._extra = dict(extra_environment or {})
        self._simulator_arguments = (
            *settings.simulator_arguments(web_port=self.web_port),
            *simulator_arguments,
        )
        self.environment = {
            **settings.inherited_environment(),
            **settings.airflow_environment(
                self.folders, api_port=self.api_port, heartbeat_timeout_s=heartbeat_timeout_s
            ),
            **settings.ledger_environment(self.folders),
            **self._extra,
        }
        self._airflow: AirflowApi | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def inbox(self) -> Path:
        """The folder to drop files in, under one folder an account."""
        return self.folders.inbox

    @property
    def url(self) -> str:
        """The address of Airflow's UI and API."""
        return f"http://{settings.ADDRESS}:{self.api_port}"

    @property
    def web_url(self) -> str:
        """The address of `reelflow serve`."""
        return f"http://{settings.ADDRESS}:{self.web_port}{settings.API_PATH}"

    @property
    def airflow(self) -> AirflowApi:
        """Airflow's REST API.

        :raises StackError: before :meth:`start`
        """
        if self._airflow is None:
            raise StackError("the stack was not started")
        return self._airflow

    def start(self, accounts: Sequence[str] = ()) -> None:
        """Migrate both databases, start all components, register accounts; does not wait for them.

        :param accounts: user names of the simulator's accounts to register, each under that name
        :raises StackError: if a command fails or the simulator does not come up
        """
        self.folders.create()
        self.password = settings.write_passwords(self.folders.passwords)
        self._airflow = AirflowApi(self.url, user=settings.USER, password=self.password)
        simulator = [sys.executable, "-m", "tiktok_simulator", *self._simulator_arguments]
        self._start_component("simulator", simulator)
        self._in_parallel(
            lambda: self.run_airflow("db", "migrate"),
            lambda: self.run_reelflow("db", "upgrade"),
            self._find_simulator,
        )
        web = ["serve", "--host", settings.ADDRESS, "--port", str(self.web_port)]
        self._start_component("web", [script("reelflow"), *web])
        for name, arguments in AIRFLOW_COMPONENTS.items():
            self._start_component(name, [script("airflow"), *arguments, *self._port_of(name)])
        for name in accounts:
            self.add_account(name)
        self.api_key = self.create_api_key(settings.USER, scope="admin")
        self._record().write()

    def wait_healthy(self, deadline_s: float = 120.0, dag_ids: Sequence[str] = (DAG_ID,)) -> None:
        """Wait until every component reports healthy and the DAGs are parsed and idle.

        :raises StackError: if a component dies, a DAG file is broken, or the deadline passes
        """
        wait_until(
            self._is_healthy,
            deadline_s=deadline_s,
            waiting_for=f"Airflow to be healthy; its logs are in {self.folders.logs}",
            check=self.check_alive,
        )
        wait_until(
            lambda: self._are_parsed(dag_ids),
            deadline_s=deadline_s,
            waiting_for=f"the DAGs {', '.join(dag_ids)} to be parsed",
            check=self.check_alive,
        )
        wait_until(
            lambda: all(self.airflow.is_idle(dag_id) for dag_id in dag_ids),
            deadline_s=deadline_s,
            waiting_for=f"the first scheduled runs of {', '.join(dag_ids)} to end",
            check=self.check_alive,
            interval_s=1.0,
        )

    def check_alive(self) -> None:
        """Raise if any component ended.

        :raises StackError: naming it, with its exit code and the end of its log
        """
        for component in self.components:
            component.check_alive()

    def stop(self) -> None:
        """End every component and whatever it started; safe to call twice, or before start.

        A second Ctrl-C does not interrupt it.
        """
        if not self.components:
            return
        with signals_ignored():
            end_processes([component.identity for component in self.components])
            for component in self.components:
                component.popen.wait()
            self.components.clear()
            self._record().remove()

    def detach(self) -> StackRecord:
        """Leave the components running when this process ends.

        :return: the note by which another process finds them; it is on disk as well
        """
        record = self._record()
        self.components.clear()
        return record

    def api(self, method: str, path: str, json: Any = None, **query: Any) -> Any:
        """Call Airflow's REST API; see :meth:`AirflowApi.call`."""
        return self.airflow.call(method, path, json, **query)

    def run_airflow(self, *arguments: str) -> str:
        """Run an ``airflow`` command with the stack's settings and return what it printed."""
        return self._run("airflow", *arguments)

    def run_reelflow(self, *arguments: str) -> str:
        """Run a ``reelflow`` command with the stack's settings and return what it printed."""
        return self._run("reelflow", *arguments)

    def posts(self) -> list[dict[str, Any]]:
        """Return every post of the ledger, as ``reelflow posts list --json`` tells it.

        Whoever waits asks twice a second: a command each time would take half a processor.
        """
        return list_posts(self._workspace)

    def add_account(self, username: str, *, privacy: str | None = PRIVACY) -> None:
        """Register one of the simulator's accounts under its user name, and make its inbox folder.

        :param privacy: privacy level of files that have none in a sidecar; ``None`` to hold them
        :raises StackError: if the simulator does not know the account
        """
        known = {one.username: one for one in self.running_simulator().accounts}
        if username not in known:
            raise StackError(f"the simulator has no account {username!r}, only {sorted(known)}")
        account = known[username]
        with tempfile.NamedTemporaryFile("w", dir=self.folders.root) as token_file:  # mode 0600
            token_file.write(account.access_token)
            token_file.flush()
            self.run_reelflow(
                *("accounts", "add", username, "--open-id", account.open_id),
                *(("--inbox-privacy", privacy) if privacy else ()),
                *("--access-token-file", token_file.name),
            )
        (self.inbox / username).mkdir(exist_ok=True, mode=0o700)

    def create_api_key(self, user: str, *, scope: str = "write") -> str:
        """Make an API key of `reelflow serve` for a user, and return it."""
        return self.run_reelflow("keys", "create", user, "--scope", scope).strip()

    @cached_property
    def _workspace(self) -> Workspace:
        """The stack's ledger, once ``reelflow db upgrade`` has made it."""
        prefix = "REELFLOW_"
        named = {
            name.removeprefix(prefix).lower(): value
            for name, value in self.environment.items()
            if name.startswith(prefix)
        }
        return Settings.model_validate(named).open_workspace()

    def _start_component(self, name: str, argv: Sequence[str | Path]) -> None:
        component = start_component(
            name,
            argv,
            environment=self.environment,
            folder=self.folders.root,
            log_path=self.folders.logs / f"{name}.log",
        )
        self.components.append(component)
        self._record().write()

    def _record(self) -> StackRecord:
        return StackRecord(
            folder=self.folders.root,
            url=self.url,
            user=settings.USER,
            password=self.password,
            web_url=self.web_url,
            api_key=self.api_key,
            processes=tuple(component.identity for component in self.components),
        )

    def _port_of(self, component: str) -> list[str]:
        return ["--port", str(self.api_port)] if component == "api-server" else []

    def _find_simulator(self) -> None:
        log_path = self.folders.logs / "simulator.log"
        wait_until(
            lambda: read_ready_line(log_path) is not None,
            deadline_s=SIMULATOR_DEADLINE_S,
            waiting_for=f"the simulator's ready line in {log_path}",
            check=self.check_alive,
        )
        self.simulator = read_ready_line(log_path)
        # A new mapping: another thread may be handing the old one to a program right now.
        self.environment = {
            **self.environment,
            **settings.platform_environment(self.running_simulator()),
            **self._extra,
        }

    def running_simulator(self) -> Simulator:
        """Return where the simulator listens.

        :raises StackError: before :meth:`start`
        """
        if self.simulator is None:
            raise StackError("the simulator was not started")
        return self.simulator

    def _is_healthy(self) -> bool:
        health = self.airflow.health()
        airflow_is = all(health.get(name) == "healthy" for name in HEALTH_NAMES)
        return airflow_is and is_web_healthy(self.web_url)

    def _are_parsed(self, dag_ids: Sequence[str]) -> bool:
        errors = self.airflow.import_errors()
        if errors:
            raise StackError("Airflow cannot load a DAG file: " + "\n".join(errors))
        return self.airflow.dag_ids() >= set(dag_ids)

    def _run(self, name: str, *arguments: str) -> str:
        return run_script(name, *arguments, environment=self.environment, folder=self.folders.root)

    def _in_parallel(self, *steps: Callable[[], object]) -> None:
        with ThreadPoolExecutor(len(steps)) as pool:
            for future in [pool.submit(step) for step in steps]:
                future.result()
