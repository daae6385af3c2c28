"""A plan names what the backfill then takes, in its order, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from reelflow.domain.post import PostState
from reelflow.domain.schedule import BackfillRun
from reelflow.ledger import batches
from reelflow.ledger.models import Account, AuditEntry, BatchEntry, Post
from reelflow.services.backfill_plan import PlannedPost, PlanStatus, plan_backfill
from reelflow.services.backfill_rehearsal import BackfillDay
from reelflow.services.discover import find_new_uploads
from reelflow.services.workspace import Workspace
from tests import factories
from tests.data_folder import data_folder
from tests.factories import ACTOR, Clock, change_account, change_post, read_post
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
S, P = PostState, PlanStatus
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
START = datetime(2026, 11, 1, tzinfo=UTC)
MISSED: dict[str, Any] = {"state": S.MISSED, "publish_at": START, "due_at": START}


def day(number: int = 0, *, skipped_because: str | None = None) -> BackfillDay:
    start = START + number * DAY
    return BackfillDay(BackfillRun(f"backfill__{number}", start, start + DAY), skipped_because)


def planned(
    workspace: Workspace, *days: BackfillDay, account: str | None = None
) -> list[PlannedPost]:
    """Every post of a plan, in its order."""
    found = plan_backfill(workspace, days or (day(),), account=account)
    return [post for one in found for post in one.posts]


def statuses(posts: Sequence[PlannedPost]) -> dict[int, PlanStatus]:
    assert len({post.row["id"] for post in posts}) == len(posts)
    return {post.row["id"]: post.status for post in posts}


def would_post(posts: Sequence[PlannedPost]) -> list[int]:
    return [post.row["id"] for post in posts if post.status is P.WOULD_POST]


def run(workspace: Workspace, one: BackfillDay) -> list[int]:
    """Let the run take its batch, and return what its tasks are to send."""
    found = find_new_uploads(workspace, one.run, actor=ACTOR)
    posts = [read_post(workspace, post.post_id) for post in found]
    return [
        post.id for post in posts if post.state is S.READY and post.claimed_by == one.run.run_id
    ]


def test_every_state_is_told_as_what_the_backfill_makes_of_it(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    expected = {
        S.READY: P.WOULD_POST,
        S.MISSED: P.WOULD_POST,
        S.HELD: P.HELD,
        S.UPLOADING: P.RUNNING,
        S.COMMITTING: P.RUNNING,
        S.PROCESSING: P.RUNNING,
        S.PUBLISHED: P.ALREADY_POSTED,
        S.PUBLISHED_NO_LINK: P.ALREADY_POSTED,
        S.IN_INBOX: P.ALREADY_POSTED,
        S.REJECTED: P.REJECTED,
        S.FAILED: P.FAILED,
        S.CANCELLED: P.CANCELLED,
        S.UNKNOWN: P.UNKNOWN,
    }
    assert set(expected) == set(S)
    lease = {"lease_owner": "x", "lease_until": clock() + MINUTE}
    ids = {
        make_post(
            account,
            **{**MISSED, "state": state},
            **(lease if state is S.UPLOADING else {}),
        ).id: status
        for state, status in expected.items()
    }
    make_post(account, **{**MISSED, "publish_at": START + DAY})
    make_post(account, **{**MISSED, "publish_at": START - timedelta(microseconds=1)})
    found = planned(workspace)
    assert statuses(found) == ids
    assert [post.why for post in found if post.status is P.WOULD_POST] == [None, None]
    assert {post.why for post in found if post.status is not P.WOULD_POST} == {"made by a test"}
    assert would_post(found) == run(workspace, day())


def test_a_plan_changes_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    def everything() -> list[Any]:
        with workspace.ledger.read() as session:
            rows = session.execute(text("SELECT * FROM posts ORDER BY id")).all()
            audits = session.scalar(select(func.count(AuditEntry.id)))
            return [rows, audits, session.scalars(select(BatchEntry.post_id)).all()]

    make_post(account, **MISSED)
    make_post(account, content=b"same", **MISSED)
    make_post(account, content=b"same", **{**MISSED, "state": S.PUBLISHED})
    make_post(account, **{**MISSED, "state": S.UPLOADING}, lease_owner="x", lease_until=clock())
    before = everything()
    assert len(would_post(planned(workspace))) == 2
    assert everything() == before


def test_an_upload_that_died_is_posted_as_the_run_would(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    died = {**MISSED, "state": S.UPLOADING, "lease_owner": "x", "lease_until": clock()}
    post = make_post(account, **died)
    assert would_post(planned(workspace)) == [post.id] == run(workspace, day())


def test_what_the_batch_has_no_room_for_is_told_and_waits_for_its_run_to_be_cleared(
    tmp_path: Path, clock: Clock
) -> None:
    workspace = factories.open_workspace(tmp_path, clock, batch_size=3)
    a, b = (factories.make_account(workspace, name) for name in "ab")
    first, second, third = (factories.make_post(workspace, a, **MISSED).id for _ in range(3))
    late = {**MISSED, "due_at": START + HOUR}
    other = factories.make_post(workspace, b, **late).id
    waiting = factories.make_post(workspace, b, **{**late, "state": S.READY}).id
    found = planned(workspace)
    assert would_post(found) == [first, other, second] == run(workspace, day())
    assert statuses(found)[third] is P.MISSED
    assert statuses(found)[waiting] is P.WAITING
    assert {post.why for post in found[3:]} == {
        "no room in the run's batch of 3: clear the run once it has ended, and it goes on with the "
        "rest"
    }
    for post_id in (first, other, second):
        change_post(workspace, post_id, state=S.PUBLISHED)
    again = planned(workspace)
    assert would_post(again) == [third, waiting]
    assert would_post(again) == run(workspace, day())


def test_a_cleared_run_keeps_its_batch_and_a_post_is_told_once(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    """What a scheduled run took may be of another day, or of none of the range."""
    elsewhere = make_post(account, publish_at=START - 5 * DAY).id
    done = make_post(account, state=S.PUBLISHED, publish_at=START - 5 * DAY).id
    next_day = make_post(account, publish_at=START + DAY).id
    with workspace.ledger.write() as session:
        batches.append(session, "backfill__0", [elsewhere, done, next_day], now=clock())
        batches.append(session, "backfill__1", [done], now=clock())
    new = make_post(account, **MISSED).id
    found = planned(workspace, day(), day(1))
    assert [(post.row["id"], post.status) for post in found] == [
        (elsewhere, P.WOULD_POST),
        (next_day, P.WOULD_POST),
        (new, P.WOULD_POST),
        (done, P.ALREADY_POSTED),
    ]
    assert would_post(found) == [*run(workspace, day()), *run(workspace, day(1))]


def test_two_runs_of_one_interval_tell_of_its_posts_once(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    """A run that a person started keeps the interval it has when a backfill clears it."""
    missed = make_post(account, **MISSED)
    failed = make_post(account, **{**MISSED, "state": S.FAILED})
    by_hand = BackfillDay(BackfillRun("by hand", START, START + DAY))
    found = planned(workspace, day(), by_hand)
    assert statuses(found) == {missed.id: P.WOULD_POST, failed.id: P.FAILED}


def test_a_day_that_airflow_skips_posts_nothing_and_says_why(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    missed = make_post(account, **MISSED)
    ready = make_post(account, **{**MISSED, "state": S.READY})
    done = make_post(account, **{**MISSED, "state": S.PUBLISHED})
    found = planned(workspace, day(skipped_because="its run x is running"))
    assert statuses(found) == {missed.id: P.MISSED, ready.id: P.WAITING, done.id: P.ALREADY_POSTED}
    assert [post.why for post in found[:2]] == ["this day is not run: its run x is running"] * 2


def test_what_another_run_has_is_running(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    claim = {"claimed_by": "scheduled", "claimed_until": clock() + MINUTE}
    ready = make_post(account, **{**MISSED, "state": S.READY}, **claim)
    missed = make_post(account, **MISSED, **claim)
    found = planned(workspace)
    assert [(post.row["id"], post.status, post.why) for post in found] == [
        (post.id, P.RUNNING, "the run scheduled has it") for post in (ready, missed)
    ]
    clock.advance(MINUTE)
    assert would_post(planned(workspace)) == [ready.id, missed.id]


def test_of_the_same_bytes_missed_twice_one_goes_out_and_the_other_is_cancelled(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    first = make_post(account, content=b"same", **MISSED)
    second = make_post(account, content=b"same", **{**MISSED, "publish_at": START + DAY})
    found = planned(workspace, day(), day(1))
    assert statuses(found) == {first.id: P.WOULD_POST, second.id: P.CANCELLED}
    assert found[1].why == f"duplicate of post {first.id}"


def test_a_source_that_is_gone_or_another_is_told(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    gone, changed = (make_post(account, file_name=f"{name}.mp4", **MISSED) for name in "gc")
    root = data_folder(workspace).media.parent
    (root / gone.media.source_path).unlink()
    (root / changed.media.source_path).write_bytes(b"another file")
    found = planned(workspace)
    assert [(post.row["id"], post.status) for post in found] == [
        (gone.id, P.SOURCE_GONE),
        (changed.id, P.SOURCE_GONE),
    ]
    assert [post.why for post in found] == [
        f"g.mp4 is gone from {root / gone.media.source_path}",
        "c.mp4 changed after it was taken from the inbox",
    ]


def test_the_posts_of_an_account_whose_access_ended_are_held(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, **MISSED)
    change_account(workspace, account.id, revoked=True, revoked_because="the creator left")
    (found,) = planned(workspace)
    assert (found.row["id"], found.status) == (post.id, P.HELD)
    assert found.why == "the access to account acme ended: the creator left"


def test_an_account_alone_is_told_of_and_shares_the_batch_all_the_same(
    tmp_path: Path, clock: Clock
) -> None:
    workspace = factories.open_workspace(tmp_path, clock, batch_size=2)
    a, b = (factories.make_account(workspace, name) for name in "ab")
    ours = [factories.make_post(workspace, a, **MISSED).id for _ in range(2)]
    factories.make_post(workspace, b, **MISSED)
    found = planned(workspace, account="a")
    assert statuses(found) == {ours[0]: P.WOULD_POST, ours[1]: P.MISSED}


def test_a_row_that_somebody_damaged_is_told_and_the_others_planned(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    damaged, good = make_post(account, **MISSED), make_post(account, **MISSED)
    with workspace.ledger.write() as session:
        session.execute(text(f"UPDATE posts SET mode = 'zz' WHERE id = {damaged.id}"))
    found = planned(workspace)
    assert statuses(found) == {good.id: P.WOULD_POST, damaged.id: P.HELD}
    assert "posts.mode" in (found[1].why or "")
