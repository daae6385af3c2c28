"""Posts in the ledger: steps with their audit rows, fences, leases, and what is due."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from reelflow.domain.post import TRANSITIONS, UNKEYED, PostState
from reelflow.domain.schedule import BackfillRun, NormalRun, Run
from reelflow.exceptions import IllegalTransitionError, LeaseLostError, PostNotFoundError
from reelflow.ledger import audit, posts
from reelflow.ledger.fair_batch import Share
from reelflow.ledger.models import Account, AuditEntry, Post
from reelflow.services.workspace import Workspace
from tests import factories
from tests.factories import ACTOR, Clock, change_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

pytestmark = ON_BOTH_DATABASES


MakePost = Callable[..., Post]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LEASE = timedelta(seconds=120)

#: One ledger serves all examples of a property: each has posts of its own.
ONE_LEDGER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12, deadline=None
)


def move(workspace: Workspace, post_id: int, to: PostState, **more: Any) -> Post:
    with workspace.ledger.write() as session:
        return posts.move(
            session,
            post_id,
            to,
            now=workspace.ledger.now(),
            actor=ACTOR,
            why=f"to {to}",
            **more,
        )


def story(workspace: Workspace, post_id: int) -> Sequence[AuditEntry]:
    with workspace.ledger.read() as session:
        return audit.story(session, post_id)


def columns(post: Post) -> dict[str, Any]:
    return {column.key: getattr(post, column.key) for column in Post.__table__.columns}


def test_a_step_changes_the_post_and_leaves_who_when_from_to_and_why(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account)
    at = clock.advance(HOUR)
    move(workspace, post.id, PostState.HELD, code="no_privacy", fix="choose one")
    now = factories.read_post(workspace, post.id)
    assert (now.state, now.state_since, now.reason, now.reason_code, now.fix) == (
        PostState.HELD, at, "to HELD", "no_privacy", "choose one",
    )  # fmt: skip
    row = story(workspace, post.id)[-1]
    assert (row.actor, row.at, row.from_state, row.to_state, row.why) == (
        ACTOR, at, "READY", "HELD", "to HELD",
    )  # fmt: skip


@given(wishes=st.lists(st.sampled_from(PostState), max_size=12))
@ONE_LEDGER
def test_on_any_walk_each_step_leaves_one_row_and_an_illegal_one_changes_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, wishes: list[PostState]
) -> None:
    post = make_post(account)
    walked = [PostState.READY]
    for wish in wishes:
        before = columns(factories.read_post(workspace, post.id))
        if wish in TRANSITIONS[walked[-1]]:
            move(workspace, post.id, wish)
            walked.append(wish)
        else:
            with pytest.raises(IllegalTransitionError):
                move(workspace, post.id, wish)
            assert columns(factories.read_post(workspace, post.id)) == before
    rows = story(workspace, post.id)
    assert [row.to_state for row in rows] == walked
    assert [row.from_state for row in rows[1:]] == walked[:-1]


@pytest.mark.parametrize("current", PostState)
def test_an_illegal_step_is_refused_by_the_ledger_too(
    workspace: Workspace, account: Account, make_post: MakePost, current: PostState
) -> None:
    post = make_post(account, state=current)
    for target in set(PostState) - TRANSITIONS[current]:
        with pytest.raises(IllegalTransitionError):
            move(workspace, post.id, target)
    assert columns(factories.read_post(workspace, post.id)) == columns(post)
    assert len(story(workspace, post.id)) == 1


def test_a_code_of_tiktoks_that_is_too_long_for_the_ledger_is_cut(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    """SQLite would keep all of it, and PostgreSQL would refuse the whole step."""
    post = make_post(account)
    assert move(workspace, post.id, PostState.HELD, code="c" * 300).reason_code == "c" * 64


def test_a_step_of_a_post_that_is_not_there_says_so(workspace: Workspace) -> None:
    with pytest.raises(PostNotFoundError, match="no post has id 99: see `reelflow posts list`"):
        move(workspace, 99, PostState.HELD)


def test_of_many_processes_that_take_the_same_step_one_wins(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    start = threading.Barrier(6)

    def race(_: int) -> bool:
        start.wait(timeout=30)
        try:
            move(workspace, post.id, PostState.UPLOADING)
        except IllegalTransitionError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(race, range(6), timeout=60))
    assert won.count(True) == 1
    assert [row.to_state for row in story(workspace, post.id)] == ["READY", "UPLOADING"]


def test_a_step_under_an_old_token_is_refused_and_changes_nothing(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.UPLOADING, fencing_token=4, lease_owner="newer")
    with pytest.raises(LeaseLostError, match=f"post {post.id} was taken over by newer"):
        move(workspace, post.id, PostState.COMMITTING, fencing_token=3)
    assert factories.read_post(workspace, post.id).state is PostState.UPLOADING
    assert move(workspace, post.id, PostState.COMMITTING, fencing_token=4).fencing_token == 4


@pytest.mark.parametrize(
    "to", [PostState.READY, PostState.CANCELLED, PostState.HELD, PostState.FAILED]
)
def test_an_uploader_that_only_slept_is_fenced_when_others_end_its_upload(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, to: PostState
) -> None:
    """Otherwise it would wake, and send the last byte of a post that the ledger calls READY."""
    post = make_post(account)
    token = take(workspace, post, "sleeper")
    assert token is not None
    move(workspace, post.id, PostState.UPLOADING, fencing_token=token)
    clock.advance(LEASE)
    move(workspace, post.id, to)
    assert not renew(workspace, post, token)
    if to is PostState.READY:
        move(workspace, post.id, PostState.UPLOADING)
    with pytest.raises(LeaseLostError):
        move(workspace, post.id, PostState.COMMITTING, fencing_token=token)


def test_a_planned_next_try_is_forgotten_with_any_step_but_ready(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, rescheduled_because="next try at noon")
    assert move(workspace, post.id, PostState.CANCELLED).rescheduled_because is None


# Leases


def take(workspace: Workspace, post: Post, owner: str) -> int | None:
    with workspace.ledger.write() as session:
        now = workspace.ledger.now()
        return posts.take_lease(session, post.id, owner=owner, now=now, lease=LEASE)


def renew(workspace: Workspace, post: Post, token: int) -> bool:
    with workspace.ledger.write() as session:
        now = workspace.ledger.now()
        return posts.renew_lease(session, post.id, fencing_token=token, now=now, lease=LEASE)


def release(workspace: Workspace, post: Post, token: int) -> None:
    with workspace.ledger.write() as session:
        posts.release_lease(session, post.id, fencing_token=token)


def lease_of(workspace: Workspace, post: Post) -> tuple[str | None, datetime | None, int]:
    now = factories.read_post(workspace, post.id)
    return now.lease_owner, now.lease_until, now.fencing_token


def test_a_held_lease_is_refused_to_others_until_it_lapses(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account)
    assert take(workspace, post, "a") == 1
    clock.advance(LEASE - timedelta(microseconds=1))
    assert take(workspace, post, "b") is None
    assert lease_of(workspace, post)[0] == "a"
    clock.advance(timedelta(microseconds=1))
    assert take(workspace, post, "b") == 2


def test_the_same_owner_takes_its_own_lease_over_with_a_newer_token(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account)
    assert take(workspace, post, "a") == 1
    clock.advance(MINUTE)
    assert take(workspace, post, "a") == 2
    assert lease_of(workspace, post) == ("a", clock() + LEASE, 2)


def test_a_renewed_lease_lives_on(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account)
    take(workspace, post, "a")
    for _ in range(4):
        clock.advance(LEASE * 0.75)
        assert renew(workspace, post, 1)
        assert take(workspace, post, "b") is None


def test_an_old_token_renews_and_releases_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account)
    take(workspace, post, "a")
    clock.advance(LEASE)
    take(workspace, post, "b")
    held = lease_of(workspace, post)
    assert not renew(workspace, post, 1)
    release(workspace, post, 1)
    assert lease_of(workspace, post) == held


def test_a_released_lease_is_free_and_stays_released(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    take(workspace, post, "a")
    release(workspace, post, 1)
    assert not renew(workspace, post, 1)
    assert take(workspace, post, "b") == 2


def test_of_many_processes_that_ask_at_once_one_gets_the_lease(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    start = threading.Barrier(8)

    def ask(number: int) -> int | None:
        start.wait(timeout=30)
        return take(workspace, post, f"owner {number}")

    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(ask, range(8), timeout=60))
    assert sorted(token for token in tokens if token is not None) == [1]


STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "renew", "release", "wait"]), st.sampled_from("abc")),
    max_size=15,
)


@given(steps=STEPS)
@ONE_LEDGER
def test_on_any_history_at_most_one_owner_can_write(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    steps: list[tuple[str, str]],
) -> None:
    post = make_post(account)
    tokens: dict[str, int] = {}
    highest = 0
    for what, owner in steps:
        if what == "wait":
            clock.advance(LEASE / 2)
        elif what == "take":
            token = take(workspace, post, owner)
            if token is not None:
                assert token == highest + 1
                tokens[owner] = highest = token
        elif what == "renew":
            renew(workspace, post, tokens.get(owner, -1))
        else:
            release(workspace, post, tokens.get(owner, -1))
        now = factories.read_post(workspace, post.id)
        able = {name for name, token in tokens.items() if now.fencing_token == token}
        assert len(able) <= 1
        assert now.lease_owner in {None, *able}


# What is due


def due(workspace: Workspace, run: Run, limit: int = 100) -> list[int]:
    with workspace.ledger.read() as session:
        return posts.due(session, run, now=workspace.ledger.now(), limit=limit)


def test_a_normal_run_takes_what_became_due_in_its_window(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    now = clock()
    tick = timedelta(microseconds=1)
    make_post(account, due_at=now - DAY)
    first = make_post(account, due_at=now - DAY + tick)
    last = make_post(account, due_at=now)
    make_post(account, due_at=now + tick)
    assert due(workspace, NormalRun("r", now, DAY)) == [first.id, last.id]


@pytest.mark.parametrize("state", [state for state in PostState if state is not PostState.READY])
def test_a_normal_run_takes_ready_posts_only(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, state: PostState
) -> None:
    make_post(account, state=state)
    assert due(workspace, NormalRun("r", clock(), DAY)) == []


def test_a_backfill_takes_the_ready_and_missed_posts_wished_for_in_its_interval(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    end = start + DAY
    tick = timedelta(microseconds=1)
    make_post(account, state=PostState.MISSED, publish_at=start - tick, due_at=start)
    first = make_post(account, state=PostState.MISSED, publish_at=start, due_at=start)
    # Moved by a retry: what was wished for counts, not when it is due now.
    last = make_post(account, publish_at=end - tick, due_at=clock() + HOUR)
    make_post(account, publish_at=end, due_at=start)
    at_once = make_post(account, created_at=start + HOUR, due_at=start + HOUR)
    for state in set(PostState) - {PostState.READY, PostState.MISSED}:
        make_post(account, state=state, publish_at=start, due_at=start)
    assert due(workspace, BackfillRun("b", start, end)) == [first.id, at_once.id, last.id]


def test_posts_are_taken_fairly_each_accounts_first_then_each_accounts_second(
    workspace: Workspace,
    make_account: Callable[..., Account],
    make_post: MakePost,
    clock: Clock,
) -> None:
    a, b, c = (make_account(name) for name in "abc")
    a1, a2, a3 = (make_post(a, due_at=clock() - (9 - n) * MINUTE).id for n in range(3))
    b1, b2 = (make_post(b, due_at=clock() - (5 - n) * MINUTE).id for n in range(2))
    c1 = make_post(c, due_at=clock()).id
    run = NormalRun("r", clock(), DAY)
    assert due(workspace, run) == [a1, b1, c1, a2, b2, a3]
    assert due(workspace, run, limit=4) == [a1, b1, c1, a2]
    assert due(workspace, run, limit=0) == []


def test_work_is_ready_or_stalled_due_unclaimed_and_not_too_late(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    now = clock()
    ready = make_post(account)
    stalled = make_post(account, state=PostState.UPLOADING, lease_owner="x", lease_until=now)
    make_post(account, state=PostState.UPLOADING, lease_owner="x", lease_until=now + MINUTE)
    make_post(account, due_at=now + MINUTE)
    make_post(account, due_at=now - DAY)
    make_post(account, claimed_by="r", claimed_until=now + MINUTE)
    for state in set(PostState) - {PostState.READY, PostState.UPLOADING}:
        make_post(account, state=state)
    with workspace.ledger.read() as session:
        assert posts.has_due(session, now=now, max_lateness=DAY) == [ready.id, stalled.id]
        assert posts.stalled_uploads(session, now=now) == [stalled.id]


def test_interrupted_are_uploads_that_nobody_holds_at_their_last_bytes_while_their_url_lives(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    now = clock()

    def committing(expires_at: datetime | None = now + MINUTE, **columns: Any) -> Post:
        post = make_post(account, state=PostState.COMMITTING, **columns)
        make_publication(workspace, post, url_expires_at=expires_at)
        return post

    left = committing(lease_owner="x", lease_until=now, claimed_by="r", claimed_until=now)
    committing(expires_at=now)  # sends nothing any more
    committing(expires_at=None)  # a pull
    committing(lease_owner="x", lease_until=now + MINUTE)
    committing(claimed_by="r", claimed_until=now + MINUTE)
    committing(due_at=now + MINUTE)
    committing(cancel_requested_at=now)
    late = committing(due_at=now - 2 * DAY)
    processing = make_post(account, state=PostState.PROCESSING)
    make_publication(workspace, processing)
    with workspace.ledger.read() as session:
        assert posts.interrupted(session, now=now, limit=9) == [late.id, left.id]
        assert posts.interrupted(session, now=now, limit=1) == [late.id]
        assert posts.has_due(session, now=now, max_lateness=DAY) == [late.id, left.id]


def test_work_of_accounts_that_are_left_out_is_what_was_begun(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    make_post: MakePost,
    clock: Clock,
) -> None:
    now = clock()
    make_post(account)
    other = make_post(make_account("other"))
    stalled = make_post(account, state=PostState.UPLOADING, lease_owner="x", lease_until=now)
    interrupted = make_post(account, state=PostState.COMMITTING)
    make_publication(workspace, interrupted, url_expires_at=now + MINUTE)
    others = Share(but_not_of={account.name})
    with workspace.ledger.read() as session:
        due = posts.has_due(session, now=now, max_lateness=DAY, share=others)
    assert due == [interrupted.id, other.id, stalled.id]


def test_missed_are_the_unclaimed_ready_posts_up_to_the_limit(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    late = make_post(account, due_at=clock() - DAY)
    make_post(account, due_at=clock() - DAY + timedelta(microseconds=1))
    make_post(account, due_at=clock() - 2 * DAY, claimed_by="r", claimed_until=clock() + MINUTE)
    make_post(account, due_at=clock() - 2 * DAY, state=PostState.HELD)
    with workspace.ledger.read() as session:
        found = posts.missed(session, before=clock() - DAY, now=clock(), limit=10)
        but_not = posts.missed(
            session, before=clock() - DAY, now=clock(), limit=10, but_not=[late.id]
        )
    assert (found, but_not) == ([late.id], [])


# The content key


@pytest.mark.parametrize("state", PostState)
def test_the_database_itself_holds_one_keyed_post_of_the_same_bytes(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    make_post(account, content=b"same", state=state)
    if state in UNKEYED:
        make_post(account, content=b"same")
    else:
        with pytest.raises(IntegrityError):
            make_post(account, content=b"same")


def test_other_accounts_slots_and_unknown_bytes_have_other_keys(
    workspace: Workspace, make_account: Callable[..., Account], make_post: MakePost
) -> None:
    a, b = make_account("a"), make_account("b")
    first = make_post(a, content=b"same")
    make_post(b, content=b"same")
    make_post(a, content=b"same", slot=1)
    for _ in range(2):
        make_post(a, content=b"same", keyed=False)
    assert first.sha256 is not None
    with workspace.ledger.read() as session:
        assert posts.next_slot(session, account_id=a.id, sha256=first.sha256) == 2
        assert posts.next_slot(session, account_id=b.id, sha256=first.sha256) == 1
        assert posts.next_slot(session, account_id=b.id, sha256="0" * 64) == 0


def test_a_slot_that_was_ever_used_is_not_given_again(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, content=b"same", slot=3, state=PostState.CANCELLED)
    assert post.sha256 is not None
    with workspace.ledger.read() as session:
        assert posts.next_slot(session, account_id=account.id, sha256=post.sha256) == 4


def test_who_holds_a_key_is_found_for_a_post_that_lost_it(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    missed = make_post(account, content=b"same", state=PostState.MISSED)
    make_post(account, content=b"same", slot=1)
    with workspace.ledger.read() as session:
        assert posts.key_holder(session, missed) is None
    holder = make_post(account, content=b"same")
    with workspace.ledger.read() as session:
        found = posts.key_holder(session, missed)
    assert found is not None
    assert found.id == holder.id
    change_post(workspace, holder.id, state=PostState.FAILED)
    with workspace.ledger.read() as session:
        assert posts.key_holder(session, missed) is None
