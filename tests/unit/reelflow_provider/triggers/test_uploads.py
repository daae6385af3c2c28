"""The watcher: it wakes the DAG while there is work, and only then."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from reelflow_provider.triggers.uploads import UploadsTrigger
from tests import factories
from tests.unit.reelflow_provider.triggers.quick_loop import Watched, run_quickly


def test_a_due_post_and_a_new_file_wake_the_dag_once(
    worker: Workspace, account: Account, drop: Callable[..., Path]
) -> None:
    factories.make_post(worker, account)
    drop(account, "new.mp4")

    async def watch() -> object:
        watched = Watched(UploadsTrigger())
        payload = await watched.event()
        await watched.no_event_for(looks=3)
        return payload

    assert run_quickly(watch)[0] == {"waiting": 2}


def test_more_work_wakes_it_again(
    worker: Workspace, account: Account, drop: Callable[..., Path]
) -> None:
    drop(account, "first.mp4")

    async def watch() -> list[object]:
        watched = Watched(UploadsTrigger())
        first = await watched.event()
        drop(account, "second.mp4")
        return [first, await watched.event()]

    assert run_quickly(watch)[0] == [{"waiting": 1}, {"waiting": 2}]


def test_what_is_no_work_for_a_run_makes_no_event(
    worker: Workspace,
    account: Account,
    drop: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REELFLOW_INBOX_QUIET_S", "3600")
    now = worker.ledger.now()
    factories.make_post(worker, account, state=PostState.HELD)
    factories.make_post(worker, account, due_at=now + timedelta(hours=1))
    factories.make_post(worker, account, claimed_by="run", claimed_until=now + timedelta(hours=1))
    factories.make_post(worker, account, state=PostState.PROCESSING)
    drop("nobody", "lost.mp4")
    drop(account, "still-being-copied.mp4")

    async def watch() -> None:
        await Watched(UploadsTrigger()).no_event_for(looks=3)

    run_quickly(watch)


def test_a_ledger_that_is_no_database_is_logged_once_and_does_not_end_the_watching(
    worker: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "notes.txt").write_text("this is no database" * 100)
    monkeypatch.setenv("REELFLOW_DATABASE_URL", f"sqlite:///{tmp_path / 'notes.txt'}")

    async def watch() -> None:
        await Watched(UploadsTrigger()).no_event_for(looks=4)

    with caplog.at_level(logging.WARNING, "reelflow_provider"):
        run_quickly(watch)
    (record,) = caplog.records
    assert "not a database" in record.getMessage()


def test_wrong_settings_are_logged_once_and_do_not_end_the_watching(
    worker: Workspace,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    factories.make_post(worker, account)
    monkeypatch.setenv("REELFLOW_BATCH_SIZE", "many")

    async def watch() -> object:
        watched = Watched(UploadsTrigger())
        await watched.no_event_for(looks=4)
        monkeypatch.delenv("REELFLOW_BATCH_SIZE")
        return await watched.event()

    with caplog.at_level(logging.WARNING, "reelflow_provider"):
        assert run_quickly(watch)[0] == {"waiting": 1}
    (record,) = caplog.records
    assert "REELFLOW_BATCH_SIZE is 'many'" in record.getMessage()


def test_trouble_in_between_does_not_wake_the_dag_again_for_the_same_work(
    worker: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.make_post(worker, account)

    async def watch() -> None:
        watched = Watched(UploadsTrigger())
        await watched.event()
        monkeypatch.setenv("REELFLOW_FERNET_KEY", "no key")
        await watched.no_event_for(looks=2)
        monkeypatch.setenv("REELFLOW_FERNET_KEY", factories.FERNET_KEY)
        await watched.no_event_for(looks=2)

    run_quickly(watch)
