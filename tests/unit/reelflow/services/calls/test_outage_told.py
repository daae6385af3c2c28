"""While nothing new is begun at TikTok, everybody who looks is told, with why and until when."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from reelflow.domain.schedule import NormalRun
from reelflow.ledger.models import Account, Post
from reelflow.services.calls import breaker
from reelflow.services.discover import find_new_uploads
from reelflow.services.report import show_post
from reelflow.services.summarize import summarize
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.unit.reelflow.cli.conftest import Run, bare_run, run

__all__ = ["bare_run", "run"]

DAY = timedelta(days=1)


@pytest.fixture
def told(workspace: Workspace, make_account: Callable[..., Account], clock: Clock) -> str:
    """What is said while it is open, after three accounts have failed."""
    clock.set(datetime(2027, 3, 1, 12, tzinfo=UTC))
    for name in ("ada", "bob", "cy"):
        breaker.record_failure(workspace, make_account(name).id, "internal_error")
    return (
        "nothing new is begun at TikTok since 2027-03-01 12:00:00 UTC, for any account: 3 accounts "
        "failed within 5 minutes: ada (internal_error), bob (internal_error), cy (internal_error); "
        "one post tries again from 2027-03-01 12:02:00 UTC on, and the others follow it"
    )


def test_closed_there_is_nothing_to_tell(workspace: Workspace) -> None:
    assert breaker.outage(workspace) is None


def test_open_it_says_why_and_until_when(workspace: Workspace, told: str) -> None:
    assert breaker.outage(workspace) == told


def test_a_probe_is_told_instead_of_its_time(
    workspace: Workspace, told: str, account: Account, clock: Clock
) -> None:
    clock.advance(timedelta(minutes=2))
    assert breaker.check_closed(workspace, account.id)
    assert "; one post is trying now, and the others follow it" in str(breaker.outage(workspace))


def test_a_run_logs_it_when_it_takes_its_posts_and_when_it_sums_up(
    workspace: Workspace, told: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "reelflow.services"):
        find_new_uploads(workspace, NormalRun("run", clock(), DAY), actor="tests")
        summarize(workspace, "run")
    assert [record.getMessage() for record in caplog.records] == [
        f"{told}; posts are prepared meanwhile",
        told,
    ]


@pytest.mark.parametrize("words", [("accounts", "list"), ("posts", "list")], ids=" ".join)
def test_the_lists_say_it_beside_their_tables(run: Run, told: str, words: tuple[str, ...]) -> None:
    assert run(*words).stderr == told + "\n"
    as_json = run(*words, "--json")
    assert as_json.stderr == ""
    assert isinstance(json.loads(as_json.stdout), list)


def test_a_post_that_is_still_to_be_begun_shows_it(
    workspace: Workspace, told: str, account: Account, make_post: Callable[..., Post]
) -> None:
    shown = show_post(workspace, make_post(account).id)["breaker"]
    assert shown["probe_at"] == "2027-03-01T12:02:00+00:00"
    assert shown["why"] in told
