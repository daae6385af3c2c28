"""Builds the settings of the stack's processes; nothing of the caller's own Airflow leaks in."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

from demo.simulator import Simulator

REPOSITORY = Path(__file__).resolve().parent.parent
ADDRESS = "127.0.0.1"
USER = "admin"

#: The domain that the simulated app has verified; the simulator finds it at `reelflow serve`.
PUBLIC_HOST = "media.reelflow.example"
API_PATH = "/reelflow/api/v1"

#: More task processes than this lock SQLite (docs/decisions, "SQLite to start").
SQLITE_PARALLELISM = 6


@dataclass(frozen=True)
class StackFolders:
    """The folders of one stack, all under one."""

    root: Path

    @property
    def airflow_home(self) -> Path:
        """Airflow's own folder: database, logs, passwords."""
        return self.root / "airflow_home"

    @property
    def reelflow_home(self) -> Path:
        """Reelflow's data root."""
        return self.root / "home"

    @property
    def inbox(self) -> Path:
        """Where files are dropped, one folder an account."""
        return self.reelflow_home / "inbox"

    @property
    def logs(self) -> Path:
        """Output of each component."""
        return self.root / "logs"

    @property
    def passwords(self) -> Path:
        """Passwords of the simple auth manager, as JSON."""
        return self.airflow_home / "passwords.json"

    def create(self) -> None:
        """Make them all, readable by this user only."""
        for folder in (self.airflow_home, self.inbox, self.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def free_port() -> int:
    """Return a TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def inherited_environment() -> dict[str, str]:
    """Return the caller's environment without settings of Airflow and Reelflow.

    Proxies stay for whoever needs them, but never between the stack's own processes.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", "_AIRFLOW_", "REELFLOW_", "PYTEST_"))
    }
    no_proxy = [kept.get("NO_PROXY") or kept.get("no_proxy") or "", ADDRESS, "localhost"]
    kept["NO_PROXY"] = kept["no_proxy"] = ",".join(filter(None, no_proxy))
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return kept


def airflow_environment(
    folders: StackFolders, *, api_port: int, heartbeat_timeout_s: int
) -> dict[str, str]:
    """Return Airflow's settings, with fresh secrets.

    :param heartbeat_timeout_s: seconds after which a silent task counts as dead
    """
    base_url = f"http://{ADDRESS}:{api_port}"
    return {
        "AIRFLOW_HOME": str(folders.airflow_home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(SQLITE_PARALLELISM),
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base_url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folders.passwords),
        # On a busy machine Airflow's writers wait for each other longer than 5 s, SQLite's default;
        # but below the 30 s after which callers of its API give up.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (
            f"sqlite:///{folders.airflow_home}/airflow.db?timeout=20"
        ),
        "AIRFLOW__API__BASE_URL": base_url,
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),  # HS512 needs 64 bytes
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        # The supervisor of a task sleeps this long when the task's sockets close before its process
        # is gone, and keeps its slot: seen on 40 of 133 task instances with the default of 5 s.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(heartbeat_timeout_s),
    }


def ledger_environment(folders: StackFolders) -> dict[str, str]:
    """Return the settings that name the data root and the ledger, with a fresh key."""
    return {
        "REELFLOW_HOME": str(folders.reelflow_home),
        "REELFLOW_DATABASE_URL": f"sqlite:///{folders.reelflow_home}/reelflow.db",
        "REELFLOW_FERNET_KEY": Fernet.generate_key().decode(),
        "REELFLOW_PUBLIC_URL": f"https://{PUBLIC_HOST}",
    }


def simulator_arguments(*, web_port: int) -> list[str]:
    """Return the options that let the simulator fetch media, and tell what happens to posts.

    :param web_port: where ``reelflow serve`` listens
    """
    web = f"http://{ADDRESS}:{web_port}"
    return [
        *("--verified-domain", PUBLIC_HOST, "--connect-to", f"{PUBLIC_HOST}={web}"),
        *("--webhook-url", f"{web}{API_PATH}/webhooks/tiktok"),
    ]


def platform_environment(simulator: Simulator) -> dict[str, str]:
    """Return the settings that put the simulator in TikTok's place."""
    connection = {
        "conn_type": "tiktok",
        "host": simulator.api_url,
        "login": simulator.client_key,
        "password": simulator.client_secret,
    }
    return {
        "REELFLOW_SIMULATOR_UPLOAD_HOSTS": urlsplit(simulator.upload_url).netloc,
        "AIRFLOW_CONN_TIKTOK_APP": json.dumps(connection),
    }


def write_passwords(path: Path) -> str:
    """Write the simple auth manager's password file, readable by this user only.

    :return: the password of :data:`USER`
    """
    password = secrets.token_urlsafe(12)
    path.touch(mode=0o600)
    path.write_text(json.dumps({USER: password}))
    return password
