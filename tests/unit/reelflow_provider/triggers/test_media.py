"""The watcher of media: it wakes ``prepare_media`` while some wait, and only then."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from pkgutil import resolve_name

import pytest
from airflow.serialization.encoders import encode_trigger

from reelflow.domain.post import PostState
from reelflow.ledger.engine import open_engine, upgrade
from reelflow.ledger.models import Account, Media
from reelflow.services.intake.ahead import find_unprepared_media
from reelflow.services.workspace import Workspace
from reelflow_provider.triggers.media import MediaTrigger
from tests import factories
from tests.unit.reelflow_provider.triggers.quick_loop import Watched, run_quickly

WEEK = timedelta(days=7)


def test_it_survives_the_way_to_the_triggerer_and_back() -> None:
    encoded = encode_trigger(MediaTrigger())
    again = resolve_name(encoded["classpath"])(**encoded["kwargs"])
    assert type(again) is MediaTrigger
    assert encode_trigger(again) == encoded


def test_media_that_nobody_prepared_wake_the_dag_once_and_new_ones_again(
    worker: Workspace, account: Account
) -> None:
    due_at = worker.ledger.now() + WEEK
    factories.make_post(worker, account, validated=False, due_at=due_at)

    async def watch() -> list[object]:
        watched = Watched(MediaTrigger())
        first = await watched.event()
        await watched.no_event_for(looks=3)
        factories.make_post(worker, account, validated=False, state=PostState.HELD)
        return [first, await watched.event()]

    assert run_quickly(watch)[0] == [{"waiting": 1}, {"waiting": 2}]


def test_what_is_prepared_due_or_taken_makes_no_event(worker: Workspace, account: Account) -> None:
    now = worker.ledger.now()
    done = [
        factories.make_post(worker, account, due_at=now + WEEK),
        factories.make_post(worker, account, state=PostState.HELD),
    ]
    with worker.ledger.write() as session:
        for post in done:
            session.get_one(Media, post.media_id).thumbnail_path = "thumbnails/1.jpg"
    factories.make_post(worker, account, validated=False, due_at=now)
    factories.make_post(worker, account, validated=False, state=PostState.CANCELLED)
    factories.make_post(worker, account, validated=False, due_at=now + WEEK)
    assert len(find_unprepared_media(worker, run_id="run")) == 1

    async def watch() -> None:
        await Watched(MediaTrigger()).no_event_for(looks=3)

    run_quickly(watch)


def test_it_looks_as_often_as_the_setting_says(
    worker: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_WATCH_INTERVAL_S", "2.5")

    async def watch() -> None:
        await Watched(MediaTrigger()).no_event_for(looks=3)

    assert set(run_quickly(watch)[1]) == {2.5}


def test_it_asks_the_ledger_alone_wherever_the_media_lie(
    worker: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_STORAGE_URL", "s3://bucket?connection=missing")
    factories.make_post(worker, account, validated=False, state=PostState.HELD)

    async def watch() -> object:
        return await Watched(MediaTrigger()).event()

    assert run_quickly(watch)[0] == {"waiting": 1}


def test_a_broken_ledger_is_logged_once_and_does_not_end_the_watching(
    worker: Workspace,
    clock: factories.Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = f"sqlite:///{tmp_path / 'later.db'}"
    monkeypatch.setenv("REELFLOW_DATABASE_URL", url)

    async def watch() -> object:
        watched = Watched(MediaTrigger())
        await watched.no_event_for(looks=4)
        upgrade(open_engine(url))
        repaired = factories.open_workspace(tmp_path, clock, database_url=url)
        account = factories.make_account(repaired)
        factories.make_post(repaired, account, validated=False, state=PostState.HELD)
        return await watched.event()

    with caplog.at_level(logging.WARNING, "reelflow_provider"):
        assert run_quickly(watch)[0] == {"waiting": 1}
    (record,) = caplog.records
    assert "reelflow db upgrade" in record.getMessage()
