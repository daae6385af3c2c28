"""The deadline alert, as the triggerer runs it: by its name, with Airflow's context."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from airflow.triggers.callback import CallbackTrigger

from reelflow.ledger.models import Account, Post
from reelflow.services.late_posts_told import AND_STALLED, TOLD_BY_ALERT
from reelflow.services.report import show_post
from reelflow.services.workspace import Workspace
from reelflow_provider.dag_defaults import Limits
from reelflow_provider.late_alert import tell_late_posts
from tests import factories
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer
from tests.unit.reelflow_provider.conftest import told

HOUR = timedelta(hours=1)


def alert(run_id: str) -> list[Any]:
    """Let the triggerer's own trigger run the callback that the DAG names."""
    callback = Limits.load().late_alert().callback
    context = {"dag_run": {"dag_run_id": run_id, "dag_id": "publish_to_tiktok"}, "deadline": {}}
    trigger = CallbackTrigger(callback.path, {**callback.kwargs, "context": context})

    async def events() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(events())


@pytest.fixture
def late_post(worker: Workspace, account: Account) -> Post:
    """A post that a run has taken an hour ago, and nobody has begun."""
    post = factories.make_post(worker, account)
    long_ago = worker.ledger.now() - HOUR
    claim = {"claimed_by": "scheduled__1", "claimed_until": worker.ledger.now() + HOUR}
    return factories.change_post(worker, post.id, created_at=long_ago, due_at=long_ago, **claim)


def test_each_late_post_is_told_of_once_with_what_it_waits_for(
    worker: Workspace,
    late_post: Post,
    receiver: ScriptedServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, "reelflow_provider"):
        first, second = alert("scheduled__1"), alert("scheduled__2")
    (line,) = [one.getMessage() for one in caplog.records if one.name.startswith("reelflow")]
    assert line.startswith(f"post {late_post.id} (clip.mp4, acme) is late: wished for ")
    assert "The run scheduled__1 has taken it, and no worker has begun it yet" in line
    (message,) = told(receiver)
    assert (message["event"], message["post_id"]) == ("post.late", late_post.id)
    assert message["text"] == line
    story = show_post(worker, late_post.id)["story"]
    assert (story[-1]["actor"], story[-1]["why"]) == (
        "deadline alert of scheduled__1",
        TOLD_BY_ALERT + AND_STALLED,
    )
    says = "late posts that nobody was told of"
    assert first[-1] == {"state": "success", "body": f"{says}: 1"}
    assert second[-1] == {"state": "success", "body": f"{says}: 0"}


def test_without_a_notifier_the_triggerers_log_names_it_for_each_run_that_takes_long(
    late_post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "reelflow_provider"):
        first, second = alert("scheduled__1"), alert("scheduled__2")
    assert first == second
    assert caplog.text.count(f"post {late_post.id} (clip.mp4, acme) is late") == 2


def test_the_triggerer_goes_on_while_it_is_told(late_post: Post, receiver: ScriptedServer) -> None:
    loops: list[int] = []

    async def told_while_others_run() -> None:
        telling = asyncio.create_task(tell_late_posts(context={}))
        while not telling.done():
            loops.append(len(receiver.received))
            await asyncio.sleep(0.001)
        await telling

    asyncio.run(told_while_others_run())
    assert len(receiver.received) == 1
    assert loops.count(0) > 1


def test_a_run_that_only_waits_for_tiktok_is_no_news(
    worker: Workspace, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    factories.make_post(worker, account)
    with caplog.at_level(logging.WARNING, "reelflow_provider"):
        assert alert("scheduled__1")[-1]["body"] == "late posts that nobody was told of: 0"
    assert caplog.records == []


def test_what_keeps_it_from_looking_is_what_airflow_shows(
    worker: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_FERNET_KEY", "short")
    ended = alert("scheduled__1")[-1]
    assert ended["state"] == "failed"
    assert "REELFLOW_FERNET_KEY" in ended["body"]
