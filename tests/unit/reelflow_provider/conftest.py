"""Fixtures of the Airflow glue: the environment that a worker and the triggerer have."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from airflow.sdk.observability import stats

from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from reelflow_provider.operators.tiktok import TikTokUploadOperator
from reelflow_provider.sensors.tiktok import FRESH_S
from tests import factories
from tests.integration.simulator_process import Simulator
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http
from tests.unit.reelflow_provider.airflow_task import run_task

#: Of the connection that alerts go to, and where Airflow is.
SECRET: Final = "the signing secret"
BASE_URL: Final = "https://airflow.example"

Connect = Callable[..., None]


@pytest.fixture
def clock() -> factories.Clock:
    """The machine's time when the test began; operators open the ledger with its clock."""
    return factories.Clock(datetime.now(UTC))


@pytest.fixture
def worker(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The workspace that operators and triggers find by their environment."""
    monkeypatch.setenv("REELFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("REELFLOW_FERNET_KEY", factories.FERNET_KEY)
    monkeypatch.setenv("REELFLOW_INBOX_QUIET_S", "0")
    return workspace


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Set the connection ``tiktok_app`` to a host."""

    def set_connection(host: str | None, conn_type: str = "tiktok", **fields: object) -> None:
        connection = {"conn_type": conn_type, "host": host, "login": "key", **fields}
        monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", json.dumps(connection))

    return set_connection


@pytest.fixture
def receiver(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """The webhook that the connection ``reelflow_alerts`` names; it takes all it is told."""
    server.answers = [http(204)] * 50
    connection = {
        "conn_type": "http",
        "host": f"http://{server.address}/hooks/T0-secret",
        "password": SECRET,
    }
    monkeypatch.setenv("AIRFLOW_CONN_REELFLOW_ALERTS", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", BASE_URL)
    return server


@pytest.fixture
def retried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why tasks are tried again, as ``reelflow.retries`` counts them."""
    codes: list[str] = []

    def count(name: str, by: int, *, tags: dict[str, str] | None) -> None:
        if name == "reelflow.retries":
            assert tags is not None
            codes.extend([tags["code"]] * by)

    monkeypatch.setattr(stats, "incr", count)
    return codes


def told(receiver: ScriptedServer) -> list[dict[str, Any]]:
    """Return the messages that a webhook took."""
    return [json.loads(one.body) for one in receiver.received]


@pytest.fixture
def tiktok(
    worker: Workspace, simulator: Simulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> Simulator:
    """TikTok, played by the simulator that the connection names."""
    connect(simulator.api, password="the client secret")
    monkeypatch.setenv("REELFLOW_SIMULATOR_UPLOAD_HOSTS", simulator.upload_host)
    return simulator


@pytest.fixture
def creator(worker: Workspace, tiktok: Simulator) -> Account:
    """An account that TikTok knows."""
    known = tiktok.accounts[0]
    return factories.make_account(
        worker, "aurora", open_id=known["open_id"], access_token=known["access_token"]
    )


@pytest.fixture
def sent_post(worker: Workspace, creator: Account) -> Callable[..., Post]:
    """Make a post whose last byte TikTok has; TikTok is PROCESSING it for one status call."""

    def send(
        privacy_level: str = "PUBLIC_TO_EVERYONE", *, ago_s: float = FRESH_S, **fields: Any
    ) -> Post:
        post = factories.make_post(worker, creator, privacy_level=privacy_level, **fields)
        ended = run_task(TikTokUploadOperator, post_id=post.id)
        assert ended.state == "success"
        since = worker.ledger.now() - timedelta(seconds=ago_s)
        return factories.change_post(worker, post.id, state_since=since)

    return send
