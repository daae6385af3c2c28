"""What both watchers do, whichever DAG they wake."""

from __future__ import annotations

import logging
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final

import pytest
from airflow.serialization.encoders import encode_trigger
from airflow.triggers.base import BaseEventTrigger

from reelflow.domain.post import PostState
from reelflow.ledger.engine import open_engine, upgrade
from reelflow.services.workspace import Workspace
from reelflow_provider.triggers.media import MediaTrigger
from reelflow_provider.triggers.uploads import UploadsTrigger
from tests import factories
from tests.unit.reelflow_provider.triggers.quick_loop import Watched, run_quickly

#: Each with a post that it wakes its DAG for.
WORK: Final[dict[type[BaseEventTrigger], dict[str, Any]]] = {
    UploadsTrigger: {},
    MediaTrigger: {"validated": False, "state": PostState.HELD},
}
EACH_WATCHER = pytest.mark.parametrize("watcher", list(WORK))


@EACH_WATCHER
def test_it_survives_the_way_to_the_triggerer_and_back(
    watcher: type[BaseEventTrigger],
) -> None:
    encoded = encode_trigger(watcher())
    again = resolve_name(encoded["classpath"])(**encoded["kwargs"])
    assert type(again) is watcher
    assert encode_trigger(again) == encoded


@EACH_WATCHER
def test_it_looks_as_often_as_the_setting_says(
    watcher: type[BaseEventTrigger], worker: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_WATCH_INTERVAL_S", "2.5")

    async def watch() -> None:
        await Watched(watcher()).no_event_for(looks=3)

    assert set(run_quickly(watch)[1]) == {2.5}


@EACH_WATCHER
def test_a_broken_ledger_is_logged_once_and_does_not_end_the_watching(
    watcher: type[BaseEventTrigger],
    worker: Workspace,
    clock: factories.Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = f"sqlite:///{tmp_path / 'later.db'}"
    monkeypatch.setenv("REELFLOW_DATABASE_URL", url)

    async def watch() -> object:
        watched = Watched(watcher())
        await watched.no_event_for(looks=4)
        upgrade(open_engine(url))
        repaired = factories.open_workspace(tmp_path, clock, database_url=url)
        factories.make_post(repaired, factories.make_account(repaired), **WORK[watcher])
        return await watched.event()

    with caplog.at_level(logging.WARNING, "reelflow_provider"):
        assert run_quickly(watch)[0] == {"waiting": 1}
    (record,) = caplog.records
    assert "reelflow db upgrade" in record.getMessage()
