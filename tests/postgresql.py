"""A PostgreSQL server of the tests' own, and the choice of the database that a test runs on.

A module that is to run on both databases says ``pytestmark = ON_BOTH_DATABASES``; a test that needs
PostgreSQL alone asks for the fixture ``postgresql_url``.
"""

from __future__ import annotations

import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.postgresql import program_folder
from reelflow.ledger.engine import open_engine, upgrade

ON_BOTH_DATABASES = pytest.mark.both_databases

NOT_INSTALLED = (
    "PostgreSQL's server is not installed: `make postgresql` (Debian: apt-get install postgresql)"
)
DEADLINE_S = 60.0
USER = "reelflow"
TEMPLATE = "migrated"
#: Nothing here outlives the tests, so nothing is worth the wait for a disk.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
#: Accounts that may run the server when the tests run as root, which PostgreSQL refuses.
ORDINARY_USERS = ("postgres", "nobody")


class PostgresqlServer:
    """One running server in a folder of its own, reached at 127.0.0.1 with a password.

    :param programs: the folder of ``initdb`` and ``postgres``
    :param settings: of the server, beside its port and addresses
    :param authentication: how its users log in; a test connects anew many times, and SCRAM would
        cost 5 ms of hashing each time
    """

    def __init__(
        self,
        programs: Path,
        settings: Mapping[str, str] = FAST,
        *,
        authentication: str = "md5",
    ) -> None:
        self._programs = programs
        self._settings = settings
        self._authentication = authentication
        self._numbers = itertools.count(1)
        self._identity = ordinary_user() if os.geteuid() == 0 else {}
        # Not below pytest's folders: those are closed to everybody but the user who runs it.
        self._folder = Path(tempfile.mkdtemp(prefix="reelflow-postgresql-"))
        self._password = secrets.token_urlsafe(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self.port = 0
        try:
            self._make_cluster()
            self._start()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """The process of which all sessions are children."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, *, template: str = "template0") -> str:
        """Create a database that is a copy of another; return its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database with every connection to it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Run a statement outside a transaction, as the server's owner."""
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        self._connection.execute(statement.encode())

    def stop(self) -> None:
        """End the server, with its sessions, and delete its folder."""
        try:
            if self._connection is not None:
                self._connection.close()
            if self._process is not None:
                _end(self._process)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _make_cluster(self) -> None:
        password_file = self._folder / "password"
        password_file.write_text(self._password)
        if self._identity:
            for path in (self._folder, password_file):
                os.chown(path, self._identity["user"], self._identity["group"])
        command: list[str | Path] = [
            self._programs / "initdb", "--pgdata", self._folder / "data", "--username", USER,
            "--auth", self._authentication, "--pwfile", password_file,
            "--encoding", "UTF8", "--no-locale", "--no-sync",
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, **self._identity
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr.strip()}")

    def _start(self) -> None:
        for _ in range(5):  # between choosing a port and using it somebody else may take it
            self.port = _free_port()
            if self._answers_on_port():
                return
        raise RuntimeError(f"postgres did not start; its log says:\n{self._log()}")

    def _answers_on_port(self) -> bool:
        settings = {
            **self._settings,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self._folder),
            "max_connections": "200",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", *options],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is pytest's, which then stops the server itself
                **self._identity,
            )
        ends_at = time.monotonic() + DEADLINE_S
        while self._process.poll() is None:
            try:
                self._connect().close()
            except psycopg.OperationalError:
                assert time.monotonic() < ends_at, f"postgres does not answer:\n{self._log()}"
                time.sleep(0.01)
            else:
                return True
        return False

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=self._password,
            dbname="postgres",
            autocommit=True,
        )

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")


def ordinary_user() -> dict[str, Any]:
    """Return how a subprocess becomes an account without rights."""
    for name in ORDINARY_USERS:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise RuntimeError(f"no user {' or '.join(ORDINARY_USERS)} to run PostgreSQL as")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server: sessions are cut off; one that does not listen is killed."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            continue


def start_migrated() -> PostgresqlServer:
    """Start a server with a migrated template, for the tests; skip them where there is none."""
    programs = program_folder()
    if programs is None:
        pytest.skip(NOT_INSTALLED)
    server = PostgresqlServer(programs)
    try:
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        engine = open_engine(server.url(TEMPLATE))
        upgrade(engine)
        engine.dispose()
    except BaseException:
        server.stop()
        raise
    return server
