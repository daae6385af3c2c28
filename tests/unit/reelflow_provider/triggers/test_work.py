"""What all watchers do, whichever DAG they wake."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
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
from reelflow.settings import Settings
from reelflow_provider.triggers.media import MediaTrigger
from reelflow_provider.triggers.uploads import UploadsTrigger
from reelflow_provider.triggers.work import CALM_S, REPEAT_S, WorkTrigger, WorkWatch
from tests import factories
from tests.unit.reelflow_provider.triggers.quick_loop import Watched, run_quickly

#: Each with a post that it wakes its DAG for.
WORK: Final[dict[type[WorkTrigger], dict[str, Any]]] = {
    UploadsTrigger: {},
    MediaTrigger: {"validated": False, "state": PostState.HELD},
}
#: How long a run takes to begin and to take its batch.
FIND_S = 8.0
EACH_WATCHER = pytest.mark.parametrize("watcher", list(WORK))

A, B, AB = frozenset("a"), frozenset("b"), frozenset("ab")
NOTHING: frozenset[str] = frozenset()


def fired(*looks: tuple[float, frozenset[str]], batch_size: int = 100) -> list[bool]:
    """Look at the given times (monotonic seconds) and say each time whether it fired."""
    watch = WorkWatch()
    return [watch.fires(work, now_s=now_s, batch_size=batch_size) for now_s, work in looks]


def test_new_work_fires_at_once() -> None:
    assert fired((0.0, A)) == [True]


def test_the_same_work_fires_again_only_after_a_minute() -> None:
    assert fired((5, A), (10, A), (64.9, A), (65, A), (70, A)) == [True, False, False, True, False]


@pytest.mark.parametrize("changed", [AB, B, NOTHING | {"c"}])
def test_other_work_fires_at_once(changed: frozenset[str]) -> None:
    assert fired((0, A), (5, changed), (10, changed)) == [True, True, False]


def test_a_burst_fires_every_few_seconds_and_not_for_each_of_its_uploads() -> None:
    burst = [(second / 2, frozenset(map(str, range(second + 1)))) for second in range(20)]
    looks = fired(*burst, (10.0, burst[-1][1]))
    assert [second / 2 for second, has_fired in enumerate(looks) if has_fired] == [0.0, 5.0, 10.0]


def test_work_that_shrinks_is_no_new_work_until_the_minute_is_over() -> None:
    # A run is just taking it, post by post.
    assert fired((0, AB), (5, A), (6, B), (59, AB), (60, B)) == [True, False, False, False, True]


def test_what_a_run_leaves_that_took_a_whole_batch_fires_at_once() -> None:
    waiting = [frozenset(map(str, range(first, 41))) for first in (0, 19, 20, 39, 40, 41)]
    looks = zip(range(0, 60, 10), waiting, strict=True)
    assert fired(*looks, batch_size=20) == [True, False, True, False, True, False]


def test_no_work_never_fires() -> None:
    assert fired((0, NOTHING), (100, NOTHING)) == [False, False]


def test_work_that_goes_and_comes_back_fires_again_only_after_a_minute() -> None:
    # Claimed by a run that could not do it: without the minute, runs would follow each other.
    assert fired((0, A), (5, NOTHING), (20, A), (60, A)) == [True, False, False, True]


@given(
    st.lists(st.tuples(st.floats(0, 30), st.frozensets(st.sampled_from("abc"))), max_size=30),
)
def test_any_work_waits_at_most_a_minute_and_wakes_at_most_every_few_seconds(
    steps: list[tuple[float, frozenset[str]]],
) -> None:
    watch, now_s = WorkWatch(), 0.0
    last: tuple[float, frozenset[str]] | None = None
    for pause_s, work in steps:
        now_s += pause_s
        due = last is None or (
            now_s - last[0] >= CALM_S
            and (not work <= last[1] or len(last[1] - work) >= 2 or now_s - last[0] >= REPEAT_S)
        )
        assert watch.fires(work, now_s=now_s, batch_size=2) == (bool(work) and due)
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
    monkeypatch.setenv("REELFLOW_WATCH_INTERVAL_S", "0.25")

    async def watch() -> None:
        await Watched(watcher()).no_event_for(looks=3)

    assert set(run_quickly(watch)[1]) == {0.25}


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


@EACH_WATCHER
def test_a_database_that_is_away_is_logged_once_without_its_password(
    watcher: type[WorkTrigger],
    worker: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"postgresql+psycopg://ann:its-password@127.0.0.1:{port}/ledger"
    monkeypatch.setenv("REELFLOW_DATABASE_URL", url)

    async def watch() -> object:
        watched = Watched(watcher())
        await watched.no_event_for(looks=3)
        monkeypatch.delenv("REELFLOW_DATABASE_URL")
        factories.make_post(worker, factories.make_account(worker), **WORK[watcher])
        return await watched.event()

    with caplog.at_level(logging.INFO, "reelflow_provider"):
        assert run_quickly(watch)[0] == {"waiting": 1}
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 3
    assert "cannot be watched" in told[0]
    assert "its-password" not in told[0]
    assert told[1] == f"work for {watcher.dag_id} can be watched again"


class Faulty(WorkTrigger):
    """A watcher with an error in it, that goes with the setting of the batch."""

    dag_id = "any"

    async def look(self, settings: Settings) -> AsyncIterator[frozenset[str]]:
        yield frozenset({str(1 // (settings.batch_size - 1))})


def test_an_error_in_a_watcher_is_told_once_with_its_place_and_does_not_end_it(
    worker: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def watch() -> object:
        watched = Watched(Faulty())
        monkeypatch.setenv("REELFLOW_BATCH_SIZE", "1")
        await watched.no_event_for(looks=3)
        monkeypatch.delenv("REELFLOW_BATCH_SIZE")
        return await watched.event()

    with caplog.at_level(logging.WARNING, "reelflow_provider"):
        assert run_quickly(watch)[0] == {"waiting": 1}
    (record,) = caplog.records
    assert "work for any cannot be watched: integer" in record.getMessage()
    assert record.exc_info is not None


@given(
    posts=st.integers(1, 90),
    most_active=st.integers(1, 4),
    fates=st.lists(st.sampled_from([0, 1, 2]), max_size=8),
)
def test_whichever_events_are_lost_or_doubled_every_post_is_taken(
    posts: int, most_active: int, fates: list[int]
) -> None:
    """A DAG that hears its first events so often, and the rest once; its runs take time to find."""
    batch_size, watch, heard = 20, WorkWatch(), iter(fates)
    waiting, begun_s, events, now_s = set(map(str, range(posts))), list[float](), 0, 0.0
    while waiting:
        now_s += 1.0
        assert now_s < 30 * REPEAT_S
        if watch.fires(frozenset(waiting), now_s=now_s, batch_size=batch_size):
            events += next(heard, 1)
        if events and sum(now_s - at_s < FIND_S for at_s in begun_s) < most_active:
            begun_s.append(now_s)
            events = 0  # Airflow makes one run of all that wait
        if now_s - FIND_S in begun_s:
            waiting -= set(sorted(waiting)[:batch_size])
    if set(fates) <= {1, 2}:
        assert len(begun_s) == -(-posts // batch_size)
        assert now_s <= len(begun_s) * 2 * FIND_S  # at once, not after a minute
