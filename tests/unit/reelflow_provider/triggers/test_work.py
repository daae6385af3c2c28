"""What all watchers do, whichever DAG they wake."""

from __future__ import annotations

import logging
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final

import pytest
from airflow.serialization.encoders import encode_trigger
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.post import PostState
from reelflow.ledger.engine import open_engine, upgrade
from reelflow.services.workspace import Workspace
from reelflow_provider.triggers.media import MediaTrigger
from reelflow_provider.triggers.uploads import UploadsTrigger
from reelflow_provider.triggers.work import REPEAT_S, WorkTrigger, WorkWatch
from tests import factories
from tests.unit.reelflow_provider.triggers.quick_loop import Watched, run_quickly

#: Each with a post that it wakes its DAG for.
WORK: Final[dict[type[WorkTrigger], dict[str, Any]]] = {
    UploadsTrigger: {},
    MediaTrigger: {"validated": False, "state": PostState.HELD},
}
EACH_WATCHER = pytest.mark.parametrize("watcher", list(WORK))

A, B, AB = frozenset("a"), frozenset("b"), frozenset("ab")
NOTHING: frozenset[str] = frozenset()


def fired(*looks: tuple[float, frozenset[str]]) -> list[bool]:
    """Look at the given times (monotonic seconds) and say each time whether it fired."""
    watch = WorkWatch()
    return [watch.fires(work, now_s=now_s) for now_s, work in looks]


def test_new_work_fires_at_once() -> None:
    assert fired((0.0, A)) == [True]


def test_the_same_work_fires_again_only_after_a_minute() -> None:
    assert fired((5, A), (10, A), (64.9, A), (65, A), (70, A)) == [True, False, False, True, False]


@pytest.mark.parametrize("changed", [AB, B, NOTHING | {"c"}])
def test_other_work_fires_at_once(changed: frozenset[str]) -> None:
    assert fired((0, A), (1, changed), (2, changed)) == [True, True, False]


def test_work_that_shrinks_is_no_new_work_until_the_minute_is_over() -> None:
    # A run is just taking it, post by post.
    assert fired((0, AB), (1, A), (2, B), (59, AB), (60, B)) == [True, False, False, False, True]


def test_no_work_never_fires() -> None:
    assert fired((0, NOTHING), (100, NOTHING)) == [False, False]


def test_work_that_goes_and_comes_back_fires_again_only_after_a_minute() -> None:
    # Claimed by a run that could not do it: without the minute, runs would follow each other.
    assert fired((0, A), (5, NOTHING), (20, A), (60, A)) == [True, False, False, True]


@given(
    st.lists(st.tuples(st.floats(0, 30), st.frozensets(st.sampled_from("ab"))), max_size=30),
)
def test_any_work_waits_at_most_a_minute_and_wakes_at_most_once_a_minute(
    steps: list[tuple[float, frozenset[str]]],
) -> None:
    watch, now_s = WorkWatch(), 0.0
    last: tuple[float, frozenset[str]] | None = None
    for pause_s, work in steps:
        now_s += pause_s
        due = last is None or not work <= last[1] or now_s - last[0] >= REPEAT_S
        assert watch.fires(work, now_s=now_s) == (bool(work) and due)
        if work and due:
            last = (now_s, work)


@EACH_WATCHER
def test_it_survives_the_way_to_the_triggerer_and_back(
    watcher: type[WorkTrigger],
) -> None:
    encoded = encode_trigger(watcher())
    again = resolve_name(encoded["classpath"])(**encoded["kwargs"])
    assert type(again) is watcher
    assert encode_trigger(again) == encoded


@EACH_WATCHER
def test_it_looks_as_often_as_the_setting_says(
    watcher: type[WorkTrigger], worker: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_WATCH_INTERVAL_S", "2.5")

    async def watch() -> None:
        await Watched(watcher()).no_event_for(looks=3)

    assert set(run_quickly(watch)[1]) == {2.5}


@EACH_WATCHER
def test_a_broken_ledger_is_logged_once_and_does_not_end_the_watching(
    watcher: type[WorkTrigger],
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
