"""The deadline alert, as the triggerer runs it: by its name, with Airflow's context."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from airflow.triggers.callback import CallbackTrigger

from reelflow.ledger.models import Account
from reelflow.services.late_posts import TOLD_BY_ALERT
from reelflow.services.report import show_post
from reelflow.services.workspace import Workspace
from reelflow_provider.dag_defaults import Limits
from tests import factories

HOUR = timedelta(hours=1)


def alert(run_id: str) -> list[Any]:
    """Let the triggerer's own trigger run the callback that the DAG names."""
    callback = Limits.load().late_alert().callback
    context = {"dag_run": {"dag_run_id": run_id, "dag_id": "publish_to_tiktok"}, "deadline": {}}
    trigger = CallbackTrigger(callback.path, {**callback.kwargs, "context": context})

    async def events() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(events())


def test_each_late_post_is_named_once_with_what_it_waits_for(
    worker: Workspace, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    post = factories.make_post(worker, account)
    long_ago = worker.ledger.now() - HOUR
    claim = {"claimed_by": "scheduled__1", "claimed_until": worker.ledger.now() + HOUR}
    factories.change_post(worker, post.id, created_at=long_ago, due_at=long_ago, **claim)
    with caplog.at_level(logging.ERROR, "reelflow_provider"):
        first, second = alert("scheduled__1"), alert("scheduled__2")
    (line,) = [one.getMessage() for one in caplog.records if one.name.startswith("reelflow")]
    assert line.startswith(f"post {post.id} (clip.mp4, acme) is late: wished for ")
    assert "The run scheduled__1 has taken it, and no worker has begun it yet" in line
    story = show_post(worker, post.id)["story"]
    assert (story[-1]["actor"], story[-1]["why"]) == (
        "deadline alert of scheduled__1",
        TOLD_BY_ALERT,
    )
    assert first[-1] == {"state": "success", "body": "late posts: 1, told of now: 1"}
    assert second[-1] == {"state": "success", "body": "late posts: 1, told of now: 0"}


def test_a_run_that_only_waits_for_tiktok_is_no_news(
    worker: Workspace, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    factories.make_post(worker, account)
    with caplog.at_level(logging.WARNING, "reelflow_provider"):
        assert alert("scheduled__1")[-1]["body"] == "late posts: 0, told of now: 0"
    assert caplog.records == []


def test_what_keeps_it_from_looking_is_what_airflow_shows(
    worker: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_FERNET_KEY", "short")
    ended = alert("scheduled__1")[-1]
    assert ended["state"] == "failed"
    assert "REELFLOW_FERNET_KEY" in ended["body"]
