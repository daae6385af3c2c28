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
DEADLINE_S: Final = 120.0
#: By user; the roles of Airflow's SimpleAuthManager.
ROLES: Final = {"anna": "user", "ben": "user", "carl": "viewer", "otto": "op", "root": "admin"}

_FOLDER = tempfile.TemporaryDirectory(prefix="reelflow-airflow-server-")


class AirflowServer:
    """One running ``airflow api-server``.

    :param reelflow_home: the data folder, with the ledger in it
    :param simulator: TikTok, as the connection ``tiktok_app`` names it
    :param workers: how many processes answer
    :param settings: more of the environment: ``REELFLOW_...``, ``AIRFLOW__...``

    :ivar address: scheme, host and port
    :ivar api: where Reelflow's routes begin
    """

    def __init__(
        self,
        reelflow_home: Path,
        simulator: Simulator | None = None,
        *,
        workers: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._home = Path(tempfile.mkdtemp(dir=_FOLDER.name))
        self._passwords = {name: secrets.token_urlsafe(12) for name in ROLES}
        port = _free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.api = self.address + API_PATH
        self._settings = {
            **_airflow_settings(self._home, self._passwords, self.address),
            "REELFLOW_HOME": str(reelflow_home),
            "REELFLOW_FERNET_KEY": factories.FERNET_KEY,
            **(_connection(simulator) if simulator is not None else {}),
            **(settings or {}),
        }
        with (self._home / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [AIRFLOW, "api-server", "--port", str(port), "--workers", str(workers)],
                env=_inherited() | self._settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it has children, which are ended with it
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def token(self, user: str) -> str:
        """Return a bearer token that Airflow gives a user for the password."""
        body = {"username": user, "password": self._passwords[user]}
        answer = requests.post(f"{self.address}/auth/token", json=body, timeout=DEADLINE_S)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["access_token"])

    def log(self) -> str:
        """Return what it wrote so far."""
        return (self._home / "log").read_text(errors="replace")

    def stop(self) -> None:
        """End it and its children."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                answer = requests.get(f"{self.address}/api/v2/version", timeout=5)
                if answer.status_code == 200:
                    return
            except requests.RequestException:
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


def _airflow_settings(home: Path, passwords: Mapping[str, str], address: str) -> dict[str, str]:
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
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
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


def _connection(simulator: Simulator) -> dict[str, str]:
    connection = {"conn_type": "tiktok", "host": simulator.api}
    connection |= {"login": simulator.client_key, "password": simulator.client_secret}
    return {
        "AIRFLOW_CONN_TIKTOK_APP": json.dumps(connection),
        "REELFLOW_SIMULATOR_UPLOAD_HOSTS": simulator.upload_host,
    }
