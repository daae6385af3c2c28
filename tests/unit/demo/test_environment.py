"""The settings that the stack's processes get."""

import json
import stat
from pathlib import Path

import pytest

from demo import environment
from demo.environment import StackFolders
from demo.simulator import Account, Simulator


@pytest.fixture
def folders(tmp_path: Path) -> StackFolders:
    return StackFolders(tmp_path / "stack")


def test_the_callers_own_airflow_does_not_leak_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", "{}")
    monkeypatch.setenv("REELFLOW_HOME", "/data")
    monkeypatch.setenv("LANG", "C.UTF-8")

    inherited = environment.inherited_environment()

    assert not [name for name in inherited if name.startswith(("AIRFLOW", "REELFLOW"))]
    assert inherited["LANG"] == "C.UTF-8"


def test_a_proxy_is_never_between_our_own_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet")
    monkeypatch.delenv("no_proxy", raising=False)

    assert environment.inherited_environment()["NO_PROXY"] == "intranet,127.0.0.1,localhost"


def test_airflow_gets_its_own_folder_its_port_and_a_long_secret(folders: StackFolders) -> None:
    settings = environment.airflow_environment(folders, api_port=8765, heartbeat_timeout_s=20)

    assert settings["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8765/execution/"
    assert settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith(f"sqlite:///{folders.root}/")
    assert len(settings["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64
    assert settings["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"] == "20"


def test_secrets_are_new_for_each_stack(folders: StackFolders) -> None:
    first, second = (
        environment.airflow_environment(folders, api_port=1, heartbeat_timeout_s=1)
        for _ in range(2)
    )
    for name in ("CORE__FERNET_KEY", "API__SECRET_KEY", "API_AUTH__JWT_SECRET"):
        assert first[f"AIRFLOW__{name}"] != second[f"AIRFLOW__{name}"]


def test_the_simulator_stands_in_tiktoks_place() -> None:
    account = Account("o1", "one", "act.secret")
    simulator = Simulator(
        *("http://127.0.0.1:1", "http://127.0.0.1:2", "http://c"), (account,), "key", "s3cret"
    )

    settings = environment.platform_environment(simulator)

    assert settings["REELFLOW_SIMULATOR_UPLOAD_HOSTS"] == "127.0.0.1:2"
    connection = json.loads(settings["AIRFLOW_CONN_TIKTOK_APP"])
    assert (connection["conn_type"], connection["host"]) == ("tiktok", "http://127.0.0.1:1")
    assert (connection["login"], connection["password"]) == ("key", "s3cret")
    assert "act.secret" not in repr(simulator)
    assert "s3cret" not in repr(simulator)


def test_only_their_owner_may_read_folders_and_passwords(folders: StackFolders) -> None:
    folders.create()
    password = environment.write_passwords(folders.passwords)

    assert json.loads(folders.passwords.read_text()) == {"admin": password}
    assert stat.S_IMODE(folders.passwords.stat().st_mode) == 0o600
    assert stat.S_IMODE(folders.inbox.stat().st_mode) == 0o700
