"""Finding media to prepare: each run its own posts, and none of them is published by it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reelflow.domain.schedule import NormalRun
from reelflow.ledger.models import Account, Post
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.ahead import TRY_AGAIN, find_unprepared_media, waiting_media
from reelflow.services.workspace import Workspace
from tests import factories
from tests.factories import ACTOR, Clock, read_post

MakePost = Callable[..., Post]
WEEK = timedelta(days=7)


def take(workspace: Workspace, run_id: str = "run") -> list[int]:
    return [post.post_id for post in find_unprepared_media(workspace, run_id=run_id)]


@pytest.fixture
def waiting(account: Account, make_post: MakePost, clock: Clock) -> Post:
    """A post of next week that nothing was done for yet."""
    return make_post(account, validated=False, due_at=clock() + WEEK)


def test_a_run_takes_what_waits_and_gets_it_again_when_it_is_cleared(
    workspace: Workspace, waiting: Post
) -> None:
    assert waiting_media(workspace) == {f"post:{waiting.id}"}
    (found,) = find_unprepared_media(workspace, run_id="run")
    assert (found.post_id, found.file_name) == (waiting.id, "clip.mp4")
    assert waiting_media(workspace) == frozenset()
    assert take(workspace) == [waiting.id]
    assert take(workspace, "another run") == []


def test_a_run_that_found_nothing_looks_again_when_it_is_cleared(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    assert take(workspace) == []
    post = make_post(account, validated=False, due_at=clock() + WEEK)
    assert take(workspace) == [post.id]


def test_what_could_not_be_prepared_is_tried_again_later(
    workspace: Workspace, waiting: Post, clock: Clock
) -> None:
    assert take(workspace) == [waiting.id]
    clock.advance(TRY_AGAIN)
    assert waiting_media(workspace) == {f"post:{waiting.id}"}
    assert take(workspace, "an hour later") == [waiting.id]


def test_nothing_is_claimed_so_that_a_publishing_run_waits_for_nobody(
    workspace: Workspace, waiting: Post
) -> None:
    take(workspace)
    assert read_post(workspace, waiting.id).claimed_by is None


def test_a_publishing_run_of_the_same_id_publishes_nothing_that_is_not_due(
    workspace: Workspace, waiting: Post, clock: Clock
) -> None:
    take(workspace, "by hand")
    run = NormalRun("by hand", clock(), workspace.rules.max_lateness)
    assert find_new_uploads(workspace, run, actor=ACTOR) == []


def test_a_run_takes_no_more_than_a_batch(tmp_path: Path, clock: Clock) -> None:
    workspace = factories.open_workspace(tmp_path, clock, batch_size=2)
    account = factories.make_account(workspace)
    made = [
        factories.make_post(workspace, account, validated=False, due_at=clock() + WEEK).id
        for _ in range(3)
    ]
    assert len(waiting_media(workspace)) == 2
    assert [take(workspace, run_id) for run_id in "ab"] == [made[:2], made[2:]]


def test_the_id_of_a_run_may_be_as_long_as_airflow_allows(
    tmp_path: Path, clock: Clock, postgresql_url: str
) -> None:
    strict = factories.open_workspace(tmp_path, clock, database_url=postgresql_url)
    account = factories.make_account(strict)
    post = factories.make_post(strict, account, validated=False, due_at=clock() + WEEK)
    assert take(strict, "r" * 250) == [post.id]
    assert take(strict, "r" * 250) == [post.id]
