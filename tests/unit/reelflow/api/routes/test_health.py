from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from sqlalchemy import text

from reelflow.api.app import assemble_app
from reelflow.exceptions import AnalysisLostError, AnalysisUnavailableError, ReelflowError
from reelflow.ledger import breaker
from reelflow.services.workspace import PublishingRules, Workspace
from reelflow.storage.folders import FOLDERS, Folders
from reelflow.storage.local_store import open_data_folder
from tests.data_folder import data_folder
from tests.factories import Clock, migrated_sqlite, open_ledger
from tests.unit.reelflow.api.conftest import Web
from tests.unit.reelflow.api.detector import Detector, engines
from tests.unprivileged import as_nobody_much, closed_to_writing, reachable_folder


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_all_is_well(web: Web, method: str) -> None:
    answer = web.request(method, "/health")
    assert answer.status_code == 200
    if method == "GET":
        assert answer.json() == {
            "status": "ok",
            "version": version("reelflow"),
            "checks": {
                "database": "ok",
                "storage": "ok",
                "engine": "not_configured",
                "tiktok": "ok",
            },
        }


def test_another_revision_of_the_ledger_is_unhealthy(web: Web, workspace: Workspace) -> None:
    with workspace.ledger.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    answer = web.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
    assert answer.json()["checks"] == {
        "database": "not_migrated", "storage": "ok", "engine": "not_configured",
        "tiktok": "unknown",
    }  # fmt: skip


def test_a_ledger_that_was_moved_away_is_unhealthy_and_not_made_anew(
    web: Web, workspace: Workspace
) -> None:
    database = Path(str(workspace.ledger.engine.url.database))
    database.rename(database.with_name("backup.db"))
    answer = web.get("/health")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "not_migrated"
    assert not database.exists()


def test_a_database_that_cannot_be_read_is_unhealthy_and_not_named(
    web: Web, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    database = Path(str(workspace.ledger.engine.url.database))
    for suffix in ("-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    database.write_bytes(b"no database" * 1000)
    answer = web.get("/health")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "unreachable"
    assert str(database) not in answer.text
    assert str(database) in caplog.text


def test_a_ledger_that_this_process_may_only_read_is_unhealthy(
    clock: Clock,
) -> None:
    with reachable_folder() as folder:
        (folder / "ledger").mkdir()
        ledger = open_ledger(migrated_sqlite(folder / "ledger"), clock)
        root = folder / "data"
        folders = Folders(lambda: open_data_folder(root))
        folders.create()
        for one in (root, *(root / name for name in FOLDERS)):
            one.chmod(0o777)
        web = Web(assemble_app(Workspace(ledger, folders, PublishingRules()), None, None))
        assert web.get("/health").status_code == 200
        with closed_to_writing(folder / "ledger"):
            status, body = json.loads(as_nobody_much(lambda: _health_of(web)))
    assert status == 503
    assert body["checks"] == {
        "database": "unreachable", "storage": "ok", "engine": "not_configured",
        "tiktok": "unknown",
    }  # fmt: skip
    assert str(folder) not in json.dumps(body)


def _health_of(web: Web) -> str:
    answer = web.get("/health")
    return json.dumps([answer.status_code, answer.json()])


def test_a_data_folder_that_is_gone_is_unhealthy(web: Web, workspace: Workspace) -> None:
    data_folder(workspace).media.rmdir()
    answer = web.get("/health")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {
        "database": "ok", "storage": "not_writable", "engine": "not_configured",
        "tiktok": "unknown",
    }  # fmt: skip
    assert str(data_folder(workspace).root) not in answer.text


@pytest.mark.parametrize(
    ("error", "engine", "status"),
    [
        (AnalysisLostError("unknown"), "ok", "ok"),
        (AnalysisUnavailableError("http://10.0.0.7 is away"), "unreachable", "degraded"),
    ],
)
def test_without_its_engine_it_still_takes_files_in(
    workspace: Workspace, error: ReelflowError, engine: str, status: str
) -> None:
    web = Web(assemble_app(workspace, None, None, engines=engines(Detector(error))))
    answer = web.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert answer.json()["checks"]["engine"] == engine
    assert "10.0.0.7" not in answer.text


def test_while_nothing_new_is_begun_at_tiktok_it_still_takes_files_in(
    web: Web, workspace: Workspace
) -> None:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        breaker.trip(session, why="acme failed", now=now, probe_at=now)
    answer = web.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["tiktok"] == "paused"
    assert "acme" not in answer.text
