"""Alerts as a worker sends them: after the task's end, once, and never in anybody's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from reelflow.domain.post import PostState
from reelflow.ledger import batches
from reelflow.ledger.models import Account, Post
from reelflow.services.alerting import end_turn, take_turn
from reelflow.services.workspace import Workspace
from reelflow_provider.notifications import alerts
from reelflow_provider.operators.posts import FindNewUploadsOperator, SummarizeOperator
from reelflow_provider.operators.settling import TellUnsettledPostsOperator
from tests import factories
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http
from tests.unit.reelflow_provider.airflow_task import RUN_ID, Ended, run_task
from tests.unit.reelflow_provider.conftest import BASE_URL, SECRET, told
from tests.unit.reelflow_provider.notifications.notifiers import (
    HangingNotifier,
    KeptNotifier,
    TalkativeNotifier,
    setting,
)


@pytest.fixture
def hanging() -> Iterator[None]:
    HangingNotifier.released.clear()
    yield
    HangingNotifier.released.set()
    for thread in threading.enumerate():
        if thread.name == "reelflow-alerts":
            thread.join(10)


@pytest.fixture
def failed(worker: Workspace, account: Account) -> Post:
    """A post of the run that failed."""
    return in_batch(worker, account, PostState.FAILED)


def in_batch(worker: Workspace, account: Account, state: PostState, **fields: Any) -> Post:
    post = factories.make_post(
        worker, account, state=state, reason="the <!here> reason", fix="the fix", **fields
    )
    with worker.ledger.write() as session:
        batches.append(session, RUN_ID, [post.id], now=worker.ledger.now())
    return post


def summarize(**how: Any) -> Ended:
    return run_task(SummarizeOperator, batch=[1], **how)


def story(worker: Workspace, post: Post) -> list[str]:
    from reelflow.services.report import show_post

    return [step["why"] for step in show_post(worker, post.id)["story"]]


def test_a_failed_run_tells_of_its_posts_what_and_where_and_the_fix(
    failed: Post, receiver: ScriptedServer
) -> None:
    assert summarize().state == "failed"
    (message,) = told(receiver)
    assert message == {
        "event": "post.failed",
        "key": f"{failed.id}:FAILED:{failed.state_since.isoformat()}",
        "text": f"post {failed.id} (clip.mp4, acme): FAILED: the \u2039!here\u203a reason. "
        "To fix: the fix",
        "post_id": failed.id,
        "post_ids": [failed.id],
        "account": "acme",
        "file_name": "clip.mp4",
        "state": "FAILED",
        "reason": "the <!here> reason",
        "reason_code": None,
        "fix": "the fix",
        "since": failed.state_since.isoformat(),
        "run_url": f"{BASE_URL}/dags/publish_to_tiktok/runs/{RUN_ID}",
        "post_url": f"{BASE_URL}/reelflow/api/v1/posts/{failed.id}/page",
    }
    assert "reelflow-signature" in receiver.received[0].headers


def test_nobody_is_told_twice(worker: Workspace, failed: Post, receiver: ScriptedServer) -> None:
    for _ in range(2):
        summarize()
    run_task(TellUnsettledPostsOperator)
    assert len(receiver.received) == 1
    assert story(worker, failed).count("an alert was sent") == 1


@pytest.mark.parametrize(
    ("operator", "state"),
    [
        (FindNewUploadsOperator, PostState.MISSED),
        (TellUnsettledPostsOperator, PostState.UNKNOWN),
    ],
)
def test_each_task_that_learns_of_such_posts_tells(
    operator: type[BaseOperator],
    state: PostState,
    worker: Workspace,
    account: Account,
    receiver: ScriptedServer,
) -> None:
    post = factories.make_post(worker, account, state=state)
    run_task(operator)
    assert [message["post_id"] for message in told(receiver)] == [post.id]


def test_it_is_told_after_airflow_knows_how_the_task_ended(
    failed: Post, receiver: ScriptedServer
) -> None:
    assert summarize(finalize=False).state == "failed"
    assert receiver.received == []


def test_without_anything_to_tell_the_connection_is_not_even_asked_for(
    worker: Workspace, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_REELFLOW_ALERTS")
    ended = run_task(FindNewUploadsOperator)
    assert ended.state == "success"
    assert not [one for one in ended.sent if type(one).__name__ == "GetConnection"]


def test_where_nothing_is_set_up_nothing_is_remembered_as_told(
    worker: Workspace, failed: Post, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.delenv("AIRFLOW_CONN_REELFLOW_ALERTS")
        assert summarize().state == "failed"
    assert receiver.received == []
    summarize()
    assert len(receiver.received) == 1


def test_what_the_webhook_did_not_take_is_told_by_the_next_task(
    worker: Workspace,
    account: Account,
    failed: Post,
    receiver: ScriptedServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = in_batch(worker, account, PostState.REJECTED)
    receiver.answers = [http(204), http(500), http(204)]
    assert summarize().state == "failed"
    assert "answered HTTP 500" in caplog.text
    for secret in ("T0-secret", SECRET):
        assert secret not in caplog.text
    summarize()
    assert [message["post_id"] for message in told(receiver)] == [failed.id, other.id, other.id]


def test_any_notifier_of_airflows_may_tell_with_templates_of_the_alert(
    failed: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    KeptNotifier.kept.clear()
    text = "{{ alert.title }} | {{ alert.fix }} | {{ alert.post_url or '-' }}"
    monkeypatch.setenv("REELFLOW_ALERT_NOTIFIER", setting(KeptNotifier, text=text))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", BASE_URL)
    summarize()
    page = f"{BASE_URL}/reelflow/api/v1/posts/{failed.id}/page"
    assert KeptNotifier.kept == [f"Reelflow: clip.mp4 FAILED | the fix | {page}"]


def test_an_error_of_a_notifier_fails_no_task_and_is_no_place_for_its_address(
    worker: Workspace,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    factories.make_post(worker, account, state=PostState.MISSED)
    monkeypatch.setenv("REELFLOW_ALERT_NOTIFIER", setting(TalkativeNotifier))
    assert run_task(FindNewUploadsOperator).state == "success"
    ours = [one.getMessage() for one in caplog.records if one.name == alerts.__name__]
    assert ours == ["not all alerts were sent: the notifier raised OSError"]


def test_while_another_process_tells_it_is_waited_for_and_told_what_that_one_did_not_find(
    failed: Post, worker: Workspace, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert take_turn(worker, owner="another")
    waits = []

    def end_turn_of_the_other(seconds: float) -> None:
        waits.append(seconds)
        end_turn(worker, owner="another")

    monkeypatch.setattr(alerts.time, "sleep", end_turn_of_the_other)
    summarize()
    assert len(waits) == 1
    assert [message["post_id"] for message in told(receiver)] == [failed.id]


def test_one_that_tells_for_long_is_not_waited_for_and_the_next_task_tells(
    failed: Post,
    worker: Workspace,
    receiver: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert take_turn(worker, owner="another")
    with monkeypatch.context() as hasty:
        hasty.setattr(alerts, "_BEGIN_NONE_AFTER_S", 0.3)
        assert summarize().state == "failed"
    assert "another process is telling for long" in caplog.text
    assert receiver.received == []
    end_turn(worker, owner="another")
    summarize()
    assert [message["post_id"] for message in told(receiver)] == [failed.id]


@pytest.mark.usefixtures("hanging")
def test_a_notifier_that_hangs_is_left_behind(
    failed: Post,
    worker: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("REELFLOW_ALERT_NOTIFIER", setting(HangingNotifier))
    monkeypatch.setattr(alerts, "LONGEST_S", 0.3)
    started = time.monotonic()
    assert summarize().state == "failed"
    assert time.monotonic() - started < 10
    assert "is left behind" in caplog.text
    assert "an alert was sent" not in story(worker, failed)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ('{"class": "no.such.Notifier"}', "No module named 'no'"),
        ('{"class": "json.JSONDecoder"}', "which is no notifier of Airflow's"),
        ('{"class": "airflow.sdk.BaseNotifier", "kwargs": {"sauce": 1}}', "unexpected keyword"),
    ],
)
def test_a_notifier_that_cannot_be_made_fails_no_task(
    wanted: str,
    says: str,
    worker: Workspace,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    factories.make_post(worker, account, state=PostState.MISSED)
    monkeypatch.setenv("REELFLOW_ALERT_NOTIFIER", wanted)
    assert run_task(FindNewUploadsOperator).state == "success"
    assert says in caplog.text


def test_callbacks_of_whoever_uses_the_operator_are_called_too(
    failed: Post, receiver: ScriptedServer
) -> None:
    called: list[Callable[..., Any] | str] = []
    ended = summarize(on_failure_callback=lambda context: called.append("mine"))
    assert (ended.state, called, len(receiver.received)) == ("failed", ["mine"], 1)
