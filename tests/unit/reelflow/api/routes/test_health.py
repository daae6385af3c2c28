from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from sqlalchemy import text

from reelflow.services.workspace import Workspace
from tests.unit.reelflow.api.conftest import Web


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_all_is_well(web: Web, method: str) -> None:
    answer = web.request(method, "/health")
    assert answer.status_code == 200
    if method == "GET":
        assert answer.json() == {
            "status": "ok",
            "version": version("reelflow"),
            "checks": {"database": "ok", "data_folder": "ok"},
        }


def test_another_revision_of_the_ledger_is_unhealthy(web: Web, workspace: Workspace) -> None:
    with workspace.ledger.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    answer = web.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
    assert answer.json()["checks"] == {"database": "not_migrated", "data_folder": "ok"}


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


def test_a_data_folder_that_is_gone_is_unhealthy(web: Web, workspace: Workspace) -> None:
    workspace.folders.media.rmdir()
    answer = web.get("/health")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "data_folder": "not_writable"}
    assert str(workspace.folders.root) not in answer.text
