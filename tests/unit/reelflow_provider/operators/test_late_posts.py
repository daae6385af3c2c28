"""The operator that tells of late posts, as a worker runs it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from reelflow.domain.post import PostState
from reelflow.exceptions import TerminalError
from reelflow.ledger.models import Account, AuditEntry, Post
from reelflow.services.steering.commands import release
from reelflow.services.workspace import Workspace
from reelflow_provider.operators.late_posts import TellLatePostsOperator
from tests import factories
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer
from tests.unit.reelflow_provider.airflow_task import Ended, run_task
from tests.unit.reelflow_provider.conftest import BASE_URL, told

HOUR = timedelta(hours=1)


def tell(run_id: str) -> Ended:
    return run_task(TellLatePostsOperator, run_id=run_id)


def let_an_hour_pass(worker: Workspace) -> None:
    """Put an hour behind what was: operators have the machine's clock."""
    with worker.ledger.write() as session:
        for post in session.scalars(select(Post)):
            post.created_at -= HOUR
            post.due_at -= HOUR
            post.state_since -= HOUR
        for entry in session.scalars(select(AuditEntry)):
            entry.at -= HOUR


@pytest.fixture
def make_late(worker: Workspace, account: Account) -> Callable[..., Post]:
    """Make a post that came an hour ago."""

    def make(**columns: object) -> Post:
        post = factories.make_post(worker, account)
        long_ago = worker.ledger.now() - HOUR
        values = {"created_at": long_ago, "due_at": long_ago, **columns}
        return factories.change_post(worker, post.id, **values)

    return make


def test_a_post_that_nobody_takes_fails_the_run_once(
    make_late: Callable[..., Post], caplog: pytest.LogCaptureFixture
) -> None:
    make_late()
    red, green = tell("run_1"), tell("run_2")
    assert red.state == "failed"
    assert isinstance(red.error, TerminalError)
    assert str(red.error).startswith("late posts that nothing known holds up: 1\npost 1 (clip.mp4,")
    assert "No run has taken it" in str(red.error)
    assert green.result == {"late": 1, "told": []}
    errors = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert errors == str(red.error).splitlines()[1:]
    assert tell("run_1").state == "failed"  # cleared: it is not done


def test_what_waits_for_something_known_is_told_of_and_fails_no_run(
    worker: Workspace, make_late: Callable[..., Post], caplog: pytest.LogCaptureFixture
) -> None:
    later = worker.ledger.now() + HOUR
    waiting = make_late(due_at=later, rescheduled_because="acme has used its 15 posts of the day")
    held = make_late(state=PostState.HELD, reason="no privacy level is chosen")
    with caplog.at_level(logging.ERROR, "reelflow_provider"):
        assert tell("run_1").result == {"late": 2, "told": [waiting.id, held.id]}
    told = caplog.text
    assert "acme has used its 15 posts of the day" in told
    assert "waits for a person: no privacy level is chosen" in told


def test_people_are_told_of_each_once_whether_the_run_fails_or_not(
    worker: Workspace, make_late: Callable[..., Post], receiver: ScriptedServer
) -> None:
    stalled = make_late()
    held = make_late(state=PostState.HELD, reason="no privacy level is chosen")
    assert [tell(f"run_{n}").state for n in range(2)] == ["failed", "success"]
    first, second = told(receiver)
    assert (first["event"], first["post_id"], first["state"]) == (
        *("post.late", stalled.id, "READY"),
    )
    assert first["reason"].startswith("No run has taken it")
    assert first["post_url"] == f"{BASE_URL}/reelflow/api/v1/posts/{stalled.id}/page"
    assert second["post_id"] == held.id
    assert second["text"].endswith("It waits for a person: no privacy level is chosen.")


def test_a_post_that_was_told_of_while_it_was_held_fails_a_run_when_nobody_takes_it_after(
    worker: Workspace, make_late: Callable[..., Post], receiver: ScriptedServer
) -> None:
    post = make_late(state=PostState.HELD, reason="it waits for approval")
    assert [tell(f"run_{n}").state for n in range(2)] == ["success", "success"]
    release(worker, post.id, actor="anna")
    assert tell("run_2").state == "success"  # a run has half an hour to take it
    let_an_hour_pass(worker)
    assert [tell(f"run_{n}").state for n in range(3, 5)] == ["failed", "success"]
    held, stalled = told(receiver)
    assert held["reason"].startswith("It waits for a person")
    assert stalled["reason"].startswith("No run has taken it")
    assert held["key"] != stalled["key"]


def test_how_late_is_too_late_is_a_setting(
    make_late: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_late()
    monkeypatch.setenv("REELFLOW_LATE_AFTER_MIN", "61")
    assert tell("run_1").result == {"late": 0, "told": []}
