from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette

from reelflow.api import create_app
from reelflow.api.app import API_PATH, assemble_app
from reelflow.api.platform import Platform
from reelflow.exceptions import ConfigurationError, LedgerNotMigratedError
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from tests import factories
from tests.known_users import KnownUsers
from tests.unit.reelflow.api.conftest import Web

SECRET = "very-secret-1234"
CONNECTION = {"conn_type": "tiktok", "host": "http://127.0.0.1:9", "login": "k", "password": SECRET}


def test_the_application_is_made_from_settings(workspace: Workspace, tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path, fernet_key=factories.FERNET_KEY))  # type: ignore[arg-type]
    assert Web(app).get("/health").status_code == 200


@pytest.mark.parametrize(
    ("stored", "status", "reason"),
    [
        ("", 503, "webhook_secret_missing"),
        (json.dumps(CONNECTION), 403, "webhook_malformed"),  # so the secret is known
        (json.dumps({**CONNECTION, "password": ""}), 503, "webhook_secret_missing"),
    ],
)
def test_whoever_makes_the_application_the_app_is_that_of_the_environment(
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stored: str,
    status: int,
    reason: str,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", stored)
    app = create_app(Settings(home=tmp_path, fernet_key=factories.FERNET_KEY))  # type: ignore[arg-type]
    answer = Web(app).post("/webhooks/tiktok", content=b"{}")
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


def test_a_connection_of_the_environment_that_cannot_be_read_is_said(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", "{" + SECRET)
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_TIKTOK_APP cannot be read") as said:
        create_app(Settings(home=tmp_path, fernet_key=factories.FERNET_KEY))  # type: ignore[arg-type]
    assert SECRET not in str(said.value)


def test_without_a_key_or_a_ledger_there_is_no_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="REELFLOW_FERNET_KEY"):
        create_app()
    monkeypatch.setenv("REELFLOW_FERNET_KEY", factories.FERNET_KEY)
    with pytest.raises(LedgerNotMigratedError, match="reelflow db upgrade"):
        create_app()


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/nothing",
        "/health/",
        "//health",
        "/redoc",
        "/public/media",
        "/public/media/",
        "/public/media/a/b/c",
        "/public/media/a/b/c/d/e",
        "/public/media/a/b/c/..%2F..%2F..%2Fetc%2Fpasswd",
        "/public/media/a/b/c/%2e%2e/%2e%2e/x",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PATCH"])
def test_what_is_nowhere_is_404_and_never_a_redirect(web: Web, method: str, path: str) -> None:
    answer = web.request(method, path)
    assert answer.status_code == 404
    if method != "HEAD":
        message = "nothing is at this address"
        assert answer.json() == {"reason": "not_found", "message": message, "details": {}}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/health", {"GET", "HEAD"}),
        ("PUT", "/public/media/a/b/c/d", {"GET", "HEAD"}),
        ("HEAD", "/oauth/callback", {"GET"}),  # a look at it must not spend its state
        ("POST", "/oauth/callback", {"GET"}),
        ("GET", "/webhooks/tiktok", {"POST"}),
        ("BREW", "/webhooks/tiktok", {"POST"}),
    ],
)
def test_another_method_is_405_with_those_that_are_taken(
    web: Web, method: str, path: str, allowed: set[str]
) -> None:
    answer = web.request(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path", ["/health", "/nothing", "/oauth/callback", "/public/media/a/b/c/d"]
)
def test_no_answer_is_guessed_framed_or_told_to_another_site(web: Web, path: str) -> None:
    headers = web.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"].startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_what_goes_wrong_inside_is_told_to_the_log_alone(
    web: Web, workspace: Workspace, make_signed: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    path = make_signed()
    database = str(workspace.ledger.engine.url.database)
    workspace.ledger.engine.dispose()
    Path(database).write_bytes(b"no database" * 1000)
    for name in ("-wal", "-shm"):
        Path(database + name).unlink(missing_ok=True)
    answer = web.get(path)
    assert answer.status_code == 500
    message = "Reelflow could not do this; its log says why"
    assert answer.json() == {"reason": "internal", "message": message, "details": {}}
    assert database in caplog.text
    assert path not in caplog.text


def test_the_schema_says_what_every_address_answers_and_how_to_log_in(web: Web) -> None:
    schema = web.get("/openapi.json").json()
    assert schema["info"]["title"] == "Reelflow"
    assert all(path.startswith(API_PATH) for path in schema["paths"])
    assert not [path for path in schema["paths"] if "oauth" in path or "webhooks" in path]
    health = schema["paths"][f"{API_PATH}/health"]["get"]
    assert {"200", "422", "431", "503"} <= set(health["responses"])


def test_mounted_it_lies_at_the_same_paths_without_routes_for_strangers(
    workspace: Workspace, platform: Platform
) -> None:
    outside = Starlette()
    inside = assemble_app(workspace, platform, KnownUsers(), mounted_at="/reelflow")
    outside.mount("/reelflow", inside)
    web = Web(outside)
    assert web.get("/health").status_code == 200
    assert web.get("/docs").status_code == 200
    assert web.get("/openapi.json").json()["servers"] == [{"url": "/reelflow"}]
    for path in ("/oauth/callback", "/webhooks/tiktok", "/public/media/a/b/c/d"):
        assert web.get(path).status_code == 404
        assert web.post(path).status_code == 404
