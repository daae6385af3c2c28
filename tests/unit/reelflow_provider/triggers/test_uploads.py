"""The watcher: it wakes the DAG while there is work, and only then."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.schedule import NormalRun
from reelflow.ledger.models import Account
from reelflow.services.discover import find_new_uploads
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from reelflow_provider.triggers.uploads import LEDGER_PAUSE_S, UploadsTrigger
from tests import factories
from tests.factories import change_post
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
    worker: Workspace,
    account: Account,
    drop: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REELFLOW_WATCH_INTERVAL_S", "0.01")
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


def test_a_backlog_wakes_one_run_for_each_batch_and_no_more(
    worker: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_WATCH_INTERVAL_S", "0.01")
    monkeypatch.setenv("REELFLOW_BATCH_SIZE", "20")
    due = {factories.make_post(worker, account).id for _ in range(41)}

    async def watch() -> list[list[int]]:
        watched, batches = Watched(UploadsTrigger()), []
        for number in range(3):
            await watched.event()
            await watched.no_event_for(looks=2)
            batches.append(run_once(f"run {number}"))
        await watched.no_event_for(looks=5)
        return batches

    batches, _ = run_quickly(watch)
    assert [len(batch) for batch in batches] == [20, 20, 1]
    assert {post_id for batch in batches for post_id in batch} == due


def test_files_beyond_a_batch_wake_the_next_run_too(
    worker: Workspace,
    account: Account,
    drop: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REELFLOW_WATCH_INTERVAL_S", "0.01")
    monkeypatch.setenv("REELFLOW_BATCH_SIZE", "3")
    for number in range(7):
        drop(account, f"{number}.mp4", b"%d" % number)

    async def watch() -> list[int]:
        watched, sizes = Watched(UploadsTrigger()), []
        for number in range(3):
            await watched.event()
            sizes.append(len(run_once(f"run {number}")))
        await watched.no_event_for(looks=5)
        return sizes

    assert run_quickly(watch)[0] == [3, 3, 1]


def test_a_backlog_beyond_a_batch_waits_until_most_of_that_is_begun(
    worker: Workspace, account: Account
) -> None:
    due = {factories.make_post(worker, account).id for _ in range(120)}

    async def watch() -> object:
        watched = Watched(UploadsTrigger())
        await watched.event()
        taken = run_once("run")
        await watched.no_event_for(looks=5)
        for post_id in taken[:51]:
            change_post(worker, post_id, state=PostState.PROCESSING)
        return len(due.difference(taken)), await watched.event()

    assert run_quickly(watch)[0] == (20, {"waiting": 20})


def test_a_file_that_was_seen_in_a_backlog_wakes_the_dag_as_soon_as_it_may(
    worker: Workspace,
    account: Account,
    drop: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REELFLOW_WATCH_INTERVAL_S", "3600")
    claimed = {"claimed_by": "run", "claimed_until": worker.ledger.now() + timedelta(minutes=15)}
    in_hand = [factories.make_post(worker, account, **claimed) for _ in range(50)]
    drop(account, "new.mp4")

    async def watch() -> object:
        watched = Watched(UploadsTrigger())
        await watched.no_event_for(looks=3)
        change_post(worker, in_hand[0].id, state=PostState.PROCESSING)
        return await watched.event()

    assert run_quickly(watch)[0] == {"waiting": 1}


def test_an_account_that_is_added_is_watched_from_then_on(
    worker: Workspace, drop: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_WATCH_INTERVAL_S", "0.01")
    drop("newcomer", "clip.mp4")

    async def watch() -> object:
        watched = Watched(UploadsTrigger())
        await watched.no_event_for(looks=4)
        factories.make_account(worker, "newcomer")
        return await watched.event()

    assert run_quickly(watch)[0] == {"waiting": 1}
    (post_id,) = run_once("run")
    assert factories.read_post(worker, post_id).account.name == "newcomer"


def test_a_triggerer_that_was_restarted_wakes_a_run_that_finds_what_was_never_taken(
    worker: Workspace, account: Account
) -> None:
    due = factories.make_post(worker, account)

    async def watch() -> list[list[int]]:
        lost = Watched(UploadsTrigger())
        await lost.event()  # nobody hears it
        await lost.end()
        again = Watched(UploadsTrigger())
        await again.event()
        return [run_once("run"), run_once("a run for the same event")]

    assert run_quickly(watch)[0] == [[due.id], []]


def test_the_inbox_is_looked_at_less_often_than_the_ledger(
    worker: Workspace,
    account: Account,
    drop: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def watch() -> object:
        watched = Watched(UploadsTrigger())
        await watched.no_event_for(looks=2)
        drop(account, "new.mp4")
        await watched.no_event_for(looks=2)
        factories.make_post(worker, account)
        return await watched.event()

    monkeypatch.setenv("REELFLOW_WATCH_INTERVAL_S", "3600")
    payload, pauses_s = run_quickly(watch)
    assert payload == {"waiting": 1}
    assert set(pauses_s) == {LEDGER_PAUSE_S}


def test_an_inbox_that_cannot_be_listed_is_logged_once_and_holds_up_no_due_post(
    worker: Workspace,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("REELFLOW_WATCH_INTERVAL_S", "0.01")
    monkeypatch.setenv("REELFLOW_STORAGE_URL", "s3://bucket?connection=missing")

    async def watch() -> object:
        watched = Watched(UploadsTrigger())
        await watched.no_event_for(looks=4)
        factories.make_post(worker, account)
        payload = await watched.event()
        monkeypatch.delenv("REELFLOW_STORAGE_URL")
        await watched.no_event_for(looks=4)
        return payload

    with caplog.at_level(logging.INFO, "reelflow_provider"):
        assert run_quickly(watch)[0] == {"waiting": 1}
    told = [record.getMessage() for record in caplog.records]
    assert [text for text in told if "cannot be watched" in text] == [
        "work for publish_to_tiktok cannot be watched: the connection 'missing' of"
        " REELFLOW_STORAGE_URL does not exist: add one of type 'aws' with access key and secret"
        " key, in the UI or as AIRFLOW_CONN_MISSING"
    ]
    assert told[-1] == "work for publish_to_tiktok can be watched again"


def test_a_bucket_that_does_not_answer_holds_up_no_due_post(
    worker: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def watch() -> object:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
            extra = {"endpoint_url": endpoint, "config_kwargs": {"retries": {"max_attempts": 0}}}
            monkeypatch.setenv(
                "AIRFLOW_CONN_AWS_DEFAULT",
                json.dumps({"conn_type": "aws", "login": "key", "password": "x", "extra": extra}),
            )
            monkeypatch.setenv("REELFLOW_STORAGE_URL", "s3://bucket")
            watched = Watched(UploadsTrigger())
            await watched.no_event_for(looks=1)
            factories.make_post(worker, account)
            payload = await watched.event()
            await watched.end()
        return payload

    assert run_quickly(watch)[0] == {"waiting": 1}


def run_once(run_id: str) -> list[int]:
    """Take a batch as the first task of a woken run does."""
    workspace = Settings.load().open_workspace()
    run = NormalRun(run_id, workspace.ledger.now(), timedelta(days=1))
    found = find_new_uploads(workspace, run, actor=factories.ACTOR)
    return [post.post_id for post in found]
