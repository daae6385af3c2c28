"""The application with what Airflow has: addresses of runs, and connections of the moment."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from reelflow.domain.analysis import AnalysisEngine
from reelflow.exceptions import ConfigurationError
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from reelflow_provider.web import application
from reelflow_provider.web.application import build_app, run_link
from tests.unit.reelflow_provider.conftest import Connect


@pytest.mark.parametrize(
    ("base_url", "link"),
    [
        ("", "/dags/publish_to_tiktok/runs/"),
        (
            "https://airflow.example/team/",
            "https://airflow.example/team/dags/publish_to_tiktok/runs/",
        ),
    ],
)
def test_a_run_is_linked_to_where_airflow_shows_it(
    base_url: str, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    run_id = "asset_triggered__2026-11-22T10:00:00+00:00_x/y"
    assert run_link(run_id) == link + "asset_triggered__2026-11-22T10%3A00%3A00%2B00%3A00_x%2Fy"


@pytest.mark.usefixtures("worker")
def test_it_is_built_from_the_environment_without_any_connection() -> None:
    app = build_app()
    assert isinstance(app, FastAPI)
    assert app.openapi_url == "/api/v1/openapi.json"


def test_requests_share_connections_to_the_ledger(worker: Workspace) -> None:
    app, opened = build_app(), list[object]()
    engine = Settings.load().open_workspace(keeps_connections=True).ledger.engine
    engine.dispose()
    event.listen(engine, "connect", lambda *_: opened.append(1))

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://web.test") as client:
            return [(await client.get("/api/v1/health")).status_code for _ in range(3)]

    assert asyncio.run(ask()) == [200] * 3
    assert len(opened) == 1
    engine.dispose()


def test_without_settings_it_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_FERNET_KEY", "")
    with pytest.raises(ConfigurationError):
        build_app()


def test_the_app_is_that_of_the_connection_at_this_moment(
    worker: Workspace, connect: Connect
) -> None:
    platform = application._platform(application.Settings.load())
    with pytest.raises(ConfigurationError) as raised:
        platform.open_client()
    assert raised.value.code == "connection_missing"
    connect("open.tiktokapis.com")
    platform.open_client().close()


def test_the_engines_are_those_of_the_connections_at_this_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with application._engines() as engines:
        assert set(engines) == {AnalysisEngine.PROVENANCE}
    connection = {"conn_type": "http", "host": "https://detect.example"}
    monkeypatch.setenv("AIRFLOW_CONN_DETECTION_DEFAULT", json.dumps(connection))
    with application._engines() as engines:
        assert set(engines) == {AnalysisEngine.PROVENANCE, AnalysisEngine.HTTP}
