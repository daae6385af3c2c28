"""What PostgreSQL's image does before it runs its command: it makes its data folder, once.

https://hub.docker.com/_/postgres, "Initialization scripts" and its environment variables.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any, Final

from demo.environment import ADDRESS
from demo.processes import Component, start_component
from demo.waiting import wait_until
from tests.postgresql import ordinary_user
from tests.topology.native import Native

SERVICE: Final = "postgres"
DATA: Final = "/var/lib/postgresql/data"
SCRIPT: Final = "/docker-entrypoint-initdb.d/databases.sql"
SOCKETS: Final = "/var/run/postgresql"


class DatabaseImage:
    """The service of PostgreSQL, run by this machine's own programs.

    :param programs: the folder of ``initdb`` and ``postgres``
    """

    def __init__(self, native: Native, programs: Path) -> None:
        self._native = native
        self._service = native.services[SERVICE]
        self._programs = programs
        self._environment = native.environment(self._service)
        # initdb refuses root, and who has no name.
        self._identity: dict[str, Any] = ordinary_user() if os.geteuid() == 0 else {}

    def start(self, log_path: Path) -> Component:
        """Make the data folder, start the server, and run the initialization script."""
        self._make_folders()
        self._make_cluster()
        component = start_component(
            SERVICE,
            [*self._as_user(), self._programs / "postgres", *self._arguments()],
            environment=self._environment,
            folder=self._folder(DATA),
            log_path=log_path,
        )
        wait_until(
            lambda: (
                subprocess.run(
                    self._native.health_check(self._service),
                    env=self._environment,
                    capture_output=True,
                ).returncode
                == 0
            ),
            deadline_s=60,
            waiting_for="PostgreSQL to answer",
            check=component.check_alive,
        )
        self._run_script()
        return component

    def _arguments(self) -> list[str]:
        program, *arguments = self._native.command(self._service)
        assert program == "postgres"
        here = {
            "listen_addresses": ADDRESS,
            "unix_socket_directories": str(self._folder(SOCKETS)),
            "fsync": "off",  # nothing here outlives the tests
        }
        more = [word for name, value in here.items() for word in ("-c", f"{name}={value}")]
        return ["-D", str(self._folder(DATA)), *arguments, *more]

    def _folder(self, target: str) -> Path:
        return self._native.folder(self._service, target)

    def _as_user(self) -> list[str]:
        if not self._identity:
            return []
        user, group = str(self._identity["user"]), str(self._identity["group"])
        return ["setpriv", "--reuid", user, "--regid", group, "--clear-groups"]

    def _make_folders(self) -> None:
        for target in (DATA, SOCKETS, "/tmp"):
            folder = self._folder(target)
            folder.mkdir(mode=0o700, parents=True)
            self._give(folder)

    def _give(self, path: Path) -> None:
        if self._identity:
            os.chown(path, self._identity["user"], self._identity["group"])

    def _make_cluster(self) -> None:
        password_file = self._folder("/tmp") / "password"
        password_file.write_text(self._environment["POSTGRES_PASSWORD"])
        self._give(password_file)
        options = shlex.split(self._environment["POSTGRES_INITDB_ARGS"])
        self._run(
            [
                *(self._programs / "initdb", "--pgdata", self._folder(DATA), "--no-sync"),
                *("--username=postgres", f"--pwfile={password_file}", *options),
            ]
        )
        with (self._folder(DATA) / "pg_hba.conf").open("a") as file:
            file.write("host all all all scram-sha-256\n")

    def _run_script(self) -> None:
        """As the image does, but over TCP: nobody here has the name of its user."""
        self._run(
            [
                *(self._programs / "psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1"),
                *("--file", self._folder(SCRIPT)),
            ],
            PGHOST=ADDRESS,
            PGPORT=str(self._native.ports[SERVICE, 5432]),
            PGUSER="postgres",
            PGDATABASE="postgres",
            PGPASSWORD=self._environment["POSTGRES_PASSWORD"],
        )

    def _run(self, command: list[str | Path], **environment: str) -> None:
        done = subprocess.run(
            [str(word) for word in (*self._as_user(), *command)],
            env={**self._environment, **environment},
            cwd=self._folder(DATA),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
