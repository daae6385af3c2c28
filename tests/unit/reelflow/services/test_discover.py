"""A run's batch: permanent, bounded, fair; what is too late is missed until a backfill."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reelflow.domain.post import PostState
from reelflow.domain.schedule import BackfillRun, NormalRun, Run
from reelflow.ledger.models import Account, Post
from reelflow.services.discover import find_new_uploads
from reelflow.services.summarize import summarize
from reelflow.services.workspace import Workspace
from tests import factories
from tests.database_faults import before_statement
from tests.factories import ACTOR, Clock, change_post, read_post, waiting_work
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

pytestmark = ON_BOTH_DATABASES


MakePost = Callable[..., Post]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
START = datetime(2026, 11, 1, tzinfo=UTC)


def find(workspace: Workspace, run: Run) -> list[int]:
    return [post.post_id for post in find_new_uploads(workspace, run, actor=ACTOR)]


def normal(clock: Clock, run_id: str = "run") -> NormalRun:
    return NormalRun(run_id, clock(), DAY)


def backfill(run_id: str = "backfill") -> BackfillRun:
    return BackfillRun(run_id, START, START + DAY)


def test_a_run_takes_due_posts_and_new_files_claims_them_and_names_their_files(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    drop: Callable[..., Path],
    clock: Clock,
) -> None:
    post = make_post(account, file_name="due.mp4")
    drop(account, "new.mp4")
    found = find_new_uploads(workspace, normal(clock), actor=ACTOR)
    assert [entry.file_name for entry in found] == ["due.mp4", "new.mp4"]
    for entry in found:
        taken = read_post(workspace, entry.post_id)
        assert (taken.claimed_by, taken.claimed_until) == ("run", clock() + 15 * MINUTE)
    assert found[0].post_id == post.id
    assert waiting_work(workspace) == frozenset()


def test_a_cleared_run_gets_the_same_posts_again_and_nothing_else(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    drop: Callable[..., Path],
    clock: Clock,
) -> None:
    posts = [make_post(account).id for _ in range(3)]
    run = normal(clock)
    assert find(workspace, run) == posts
    change_post(workspace, posts[0], state=PostState.PUBLISHED)
    change_post(workspace, posts[1], state=PostState.REJECTED)
    make_post(account)
    clock.advance(2 * DAY)
    make_post(account)
    drop(account, "new.mp4")
    assert find(workspace, run) == posts


def test_two_runs_never_take_the_same_post_while_its_claim_lives(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account)
    assert find(workspace, normal(clock, "first")) == [post.id]
    clock.advance(15 * MINUTE - timedelta(seconds=1))
    assert find(workspace, normal(clock, "second")) == []
    clock.advance(timedelta(seconds=1))
    assert find(workspace, normal(clock, "third")) == [post.id]
    assert read_post(workspace, post.id).claimed_by == "third"


def test_a_batch_is_bounded_and_fair(tmp_path: Path, clock: Clock) -> None:
    workspace = factories.open_workspace(tmp_path, clock, batch_size=4)
    a, b = (factories.make_account(workspace, name) for name in "ab")
    early = [factories.make_post(workspace, a, due_at=clock() - MINUTE).id for _ in range(5)]
    late = factories.make_post(workspace, b).id
    assert find(workspace, normal(clock)) == [early[0], late, early[1], early[2]]
    assert find(workspace, normal(clock, "next")) == early[3:]


def test_what_is_too_late_is_missed_with_the_ways_to_post_it_all_the_same(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    late = make_post(account, due_at=clock() - DAY)
    assert find(workspace, normal(clock)) == []
    post = read_post(workspace, late.id)
    assert post.state is PostState.MISSED
    assert "more than 1 day, 0:00:00 before the run" in post.reason
    assert post.fix == f"`reelflow posts retry {late.id}`, or a backfill over its day"


def test_an_upload_that_died_is_taken_by_the_next_run(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, state=PostState.UPLOADING, lease_owner="x", lease_until=clock())
    assert waiting_work(workspace) == {f"post:{post.id}"}
    assert find(workspace, normal(clock)) == [post.id]
    assert read_post(workspace, post.id).state is PostState.READY


def test_an_upload_that_died_at_its_last_bytes_is_gone_on_with_before_all_else(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    due = make_post(account)
    post = make_post(account, state=PostState.COMMITTING)
    make_publication(workspace, post)
    assert waiting_work(workspace) == {f"post:{post.id}", f"post:{due.id}"}
    assert find(workspace, normal(clock)) == [post.id, due.id]
    assert read_post(workspace, post.id).state is PostState.COMMITTING
    assert waiting_work(workspace) == frozenset()


# Backfills


def test_a_backfill_takes_its_days_missed_posts_and_no_inbox_files(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    drop: Callable[..., Path],
    clock: Clock,
) -> None:
    missed = make_post(account, state=PostState.MISSED, publish_at=START, due_at=START)
    make_post(account, state=PostState.MISSED, publish_at=START + DAY, due_at=START)
    path = drop(account, "new.mp4")
    assert find(workspace, backfill()) == [missed.id]
    assert path.exists()
    assert read_post(workspace, missed.id).state is PostState.READY
    # Its run may be slow: no other run may call it too late meanwhile.
    clock.advance(20 * MINUTE)
    find(workspace, normal(clock))
    assert read_post(workspace, missed.id).state is PostState.READY


def test_a_missed_post_whose_bytes_become_another_post_while_it_is_recalled_is_cancelled(
    tmp_path: Path, clock: Clock, postgresql_url: str
) -> None:
    """PostgreSQL alone lets somebody else write between our look and our write."""
    workspace = factories.open_workspace(tmp_path, clock, database_url=postgresql_url)
    account = factories.make_account(workspace)
    missed = factories.make_post(
        workspace, account, state=PostState.MISSED, content=b"same", publish_at=START
    )
    other = factories.make_post(workspace, account, state=PostState.MISSED, publish_at=START)

    def post_the_same() -> None:
        factories.make_post(workspace, account, content=b"same")

    with before_statement(workspace, "UPDATE posts SET state", post_the_same):
        assert find(workspace, backfill()) == [other.id]
    after = read_post(workspace, missed.id)
    assert (after.state, after.reason_code) == (PostState.CANCELLED, "duplicate")


def test_a_cleared_backfill_appends_what_its_day_has_gained(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    day = {"state": PostState.MISSED, "publish_at": START, "due_at": START}
    first = make_post(account, **day)
    assert find(workspace, backfill()) == [first.id]
    second = make_post(account, **day)
    assert find(workspace, backfill()) == [first.id, second.id]
    change_post(workspace, first.id, state=PostState.MISSED, claimed_by=None, claimed_until=None)
    assert find(workspace, backfill()) == [first.id, second.id]
    assert read_post(workspace, first.id).state is PostState.READY


def test_what_a_cleared_backfill_rejected_before_comes_last(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    """Airflow makes no task for a new member behind old ones that are all rejected."""
    missed: dict[str, Any] = {"state": PostState.MISSED, "publish_at": START}
    rejected, waiting = (make_post(account, **missed).id for _ in range(2))
    assert find(workspace, backfill()) == [rejected, waiting]
    change_post(workspace, rejected, state=PostState.REJECTED)
    new = make_post(account, **missed).id
    assert find(workspace, backfill()) == [waiting, new, rejected]


def test_posts_that_a_cleared_backfill_has_already_take_no_room_from_new_ones(
    tmp_path: Path, clock: Clock
) -> None:
    workspace = factories.open_workspace(tmp_path, clock, batch_size=3)
    account = factories.make_account(workspace)

    def wished() -> int:
        return factories.make_post(workspace, account, publish_at=START, due_at=START).id

    known = [wished(), wished()]
    assert find(workspace, backfill()) == known
    summarize(workspace, "backfill")  # gives the claims back
    new = [wished(), wished()]
    assert find(workspace, backfill()) == [*known, new[0]]
    assert find(workspace, backfill()) == [*known, new[0]]


def test_a_backfill_that_is_cleared_goes_on_until_its_day_is_done(
    tmp_path: Path, clock: Clock
) -> None:
    workspace = factories.open_workspace(tmp_path, clock, batch_size=2)
    account = factories.make_account(workspace)
    day: dict[str, Any] = {"state": PostState.MISSED, "publish_at": START, "due_at": START}
    wished = [factories.make_post(workspace, account, **day).id for _ in range(5)]
    for count in (2, 4, 5, 5):
        assert find(workspace, backfill()) == wished[:count]
        for post_id in wished[:count]:
            change_post(workspace, post_id, state=PostState.PUBLISHED)


def test_a_missed_post_whose_bytes_went_out_since_is_cancelled_and_stops_no_other(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    day = {"state": PostState.MISSED, "publish_at": START, "due_at": START}
    missed = make_post(account, content=b"same", **day)
    newer = make_post(account, content=b"same", state=PostState.PUBLISHED)
    other = make_post(account, **day)
    assert find(workspace, backfill()) == [other.id]
    cancelled = read_post(workspace, missed.id)
    assert (cancelled.state, cancelled.reason) == (
        PostState.CANCELLED,
        f"duplicate of post {newer.id}",
    )
