"""Airflow's own API server as a process of its own, with Reelflow mounted into it by its plugin."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import requests
from cryptography.fernet import Fernet

from reelflow.api.intake import API_PATH
from tests import factories
from tests.integration.simulator_process import Simulator

REPOSITORY: Final = Path(__file__).parents[2]
AIRFLOW: Final = Path(sys.executable).with_name("airflow")
APP: Final = "tiktok_app"
DEADLINE_S: Final = 120.0
#: The roles of Airflow's SimpleAuthManager, by user.
ROLES: Final = {"anna": "user", "ben": "user", "carl": "viewer", "otto": "op", "root": "admin"}

_FOLDER = tempfile.TemporaryDirectory(prefix="reelflow-airflow-server-")


class AirflowServer:
    """One running ``airflow api-server``.

    :param settings: more of its environment, ``REELFLOW_HOME`` among it
    :param workers: how many processes answer
    :param below: path of its address, as behind a proxy that it shares with others

    :ivar address: of Airflow's pages
    :ivar api: where Reelflow's routes begin
    :ivar users: their names
    :ivar jwt_secret: what it signs tokens with
    """

    def __init__(self, settings: Mapping[str, str], *, workers: int = 1, below: str = "") -> None:
        self._home = Path(tempfile.mkdtemp(dir=_FOLDER.name))
        self._passwords = {name: secrets.token_urlsafe(12) for name in ROLES}
        port = str(_free_port())
        self.users = list(ROLES)
        self.address = f"http://127.0.0.1:{port}{below}"
        self.api = self.address + API_PATH
        self.jwt_secret = secrets.token_urlsafe(64)
        known = _airflow_settings(self._home, self._passwords)
        known["AIRFLOW__API__BASE_URL"] = self.address
        known["AIRFLOW__API_AUTH__JWT_SECRET"] = self.jwt_secret
        self._command = [AIRFLOW, "api-server", "--port", port, "--workers", str(workers)]
        self._environment = {**_inherited(), **known, **settings}
        self.start()

    def start(self) -> None:
        """Start it, or start it again: on its database, so that tokens are good still."""
        with (self._home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it has children, which end with it
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def token(self, user: str) -> str:
        """Return a bearer token that Airflow gives a user for the password."""
        body = {"username": user, "password": self._passwords[user]}
        answer = requests.post(f"{self.address}/auth/token", json=body, timeout=DEADLINE_S)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["access_token"])

    def connect(self, simulator: Simulator | None) -> None:
        """Store the connection ``tiktok_app`` in Airflow, in place of the one that is there."""
        connections = f"{self.address}/api/v2/connections"
        headers = {"Authorization": f"Bearer {self.token('root')}"}
        old = requests.delete(f"{connections}/{APP}", headers=headers, timeout=DEADLINE_S)
        assert old.status_code in (204, 404), old.text
        if simulator is None:
            return
        connection = {"connection_id": APP, "conn_type": "tiktok", "host": simulator.api}
        connection |= {"login": simulator.client_key, "password": simulator.client_secret}
        new = requests.post(connections, json=connection, headers=headers, timeout=DEADLINE_S)
        assert new.status_code == 201, new.text

    def run(self, *arguments: str, **settings: str) -> None:
        """Run an ``airflow`` command on its database.

        :param settings: of this command's environment, over the server's own
        """
        done = subprocess.run(
            [AIRFLOW, *arguments],
            env={**self._environment, **settings},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def log(self) -> str:
        """Return what it wrote so far."""
        return (self._home / "log").read_text(errors="replace")

    def kill(self) -> None:
        """End it and its children; again is harmless."""
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                answer = requests.get(f"{self.address}/api/v2/version", timeout=5)
                if answer.status_code == 200:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        raise AssertionError(f"the API server did not start: {self.log()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _inherited() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "_AIRFLOW", "REELFLOW_"))
    }


def _airflow_settings(home: Path, passwords: Mapping[str, str]) -> dict[str, str]:
    password_file = home / "passwords.json"
    password_file.write_text(json.dumps(passwords))
    shutil.copyfile(_migrated_database(), home / "airflow.db")
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{name}:{role}" for name, role in ROLES.items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(password_file),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=20",
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "REELFLOW_FERNET_KEY": factories.FERNET_KEY,
    }


@cache
def _migrated_database() -> Path:
    """Migrate one database of Airflow's; each server gets a copy of it."""
    home = Path(tempfile.mkdtemp(dir=_FOLDER.name))
    settings = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [AIRFLOW, "db", "migrate"], env=_inherited() | settings, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return home / "airflow.db"
