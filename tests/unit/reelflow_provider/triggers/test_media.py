"""The watcher of media: it wakes ``prepare_media`` while some wait, and only then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Media
from reelflow.services.intake.ahead import find_unprepared_media
from reelflow.services.workspace import Workspace
from reelflow_provider.triggers.media import MediaTrigger
from tests import factories
from tests.unit.reelflow_provider.triggers.quick_loop import Watched, run_quickly

WEEK = timedelta(days=7)


def test_media_that_nobody_prepared_wake_the_dag_once_and_new_ones_again(
    worker: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_WATCH_INTERVAL_S", "0.01")
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


def test_it_asks_the_ledger_alone_wherever_the_media_lie(
    worker: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_STORAGE_URL", "s3://bucket?connection=missing")
    factories.make_post(worker, account, validated=False, state=PostState.HELD)

    async def watch() -> object:
        return await Watched(MediaTrigger()).event()

    assert run_quickly(watch)[0] == {"waiting": 1}
