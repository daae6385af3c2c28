"""Late posts that were told of, and are late for another reason by now: which are told again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from reelflow.domain.post import PostState
from reelflow.ledger import breaker, claims, posts
from reelflow.ledger.models import Account, Post
from reelflow.services.alerting import MESSAGES_MAX, Alert, mark_told
from reelflow.services.late_posts_told import newly_late, untold_late
from reelflow.services.settling.stalled import return_stalled_uploads
from reelflow.services.steering.commands import release
from reelflow.services.workspace import Workspace
from tests.factories import Clock, change_post, make_post, read_post
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

S = PostState
MINUTE, HALF_AN_HOUR = timedelta(minutes=1), timedelta(minutes=30)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

_numbers = itertools.count(1)


def send(workspace: Workspace) -> list[Alert]:
    alerts = untold_late(workspace, late_after=HALF_AN_HOUR)
    for alert in alerts:
        mark_told(workspace, alert, actor="tests/run/tell[-1]")
    return alerts


def look_of_a_run(workspace: Workspace) -> dict[int, bool]:
    run = f"dag/run_{next(_numbers)}/"
    told = newly_late(workspace, late_after=HALF_AN_HOUR, run=run, actor=f"{run}tell[-1]")
    return {post.post_id: post.is_stalled for post in told.new}


def look_of_an_alert(workspace: Workspace) -> dict[int, bool]:
    stalls = ("No run has taken it", "no worker has begun it")
    return {
        post_id: any(stall in alert.text for stall in stalls)
        for alert in send(workspace)
        for post_id in alert.post_ids
    }


#: One look by somebody: whether each post that it tells of is stalled, by id.
Look: TypeAlias = Callable[[Workspace], dict[int, bool]]
LOOKS: Final[list[Look]] = [look_of_a_run, look_of_an_alert]


class LateOne:
    """A post that is late, and goes from one reason to the next as the services let it."""

    def __init__(self, workspace: Workspace, account: Account, post_id: int, clock: Clock) -> None:
        self.workspace, self.account, self.clock = workspace, account, clock
        self.post_id = post_id

    def change(self, **values: Any) -> None:
        change_post(self.workspace, self.post_id, **values)

    def move(self, to: PostState) -> None:
        with self.workspace.ledger.write() as session:
            posts.move(session, self.post_id, to, now=self.clock(), actor="tests", why="tests")

    @property
    def due_at(self) -> datetime:
        return read_post(self.workspace, self.post_id).due_at

    @contextmanager
    def waits_for_a_person(self) -> Iterator[None]:
        self.clock.advance(MINUTE)
        self.move(S.HELD)
        yield
        release(self.workspace, self.post_id, actor="anna")

    @contextmanager
    def waits_for_its_budget(self) -> Iterator[None]:
        slot = self.clock() + DAY
        self.change(due_at=slot, rescheduled_because="acme has used its 15 posts of the day")
        yield
        self.clock.set(slot)

    @contextmanager
    def waits_for_its_next_try(self) -> Iterator[None]:
        slot = self.clock() + DAY
        self.change(due_at=slot, reason="the connection 'tiktok_app' does not exist")
        yield
        self.clock.set(slot)

    @contextmanager
    def is_uploaded_until_its_worker_dies(self) -> Iterator[None]:
        self.move(S.UPLOADING)
        self.change(lease_owner="dag/run/upload[0]", lease_until=self.clock() + DAY)
        yield
        self.clock.advance(DAY)

    @contextmanager
    def waits_for_the_end_of_an_outage(self) -> Iterator[None]:
        probe_at = self.clock() + HOUR
        with self.workspace.ledger.write() as session:
            breaker.trip(session, why="3 accounts fail", now=self.clock(), probe_at=probe_at)
        yield
        with self.workspace.ledger.write() as session:
            breaker.close(session)

    @contextmanager
    def waits_for_others_of_a_backlog(self) -> Iterator[None]:
        until = self.clock() + DAY
        claimed = {"claimed_by": "another", "claimed_until": until, "publish_at": until}
        for _ in range(50):
            make_post(self.workspace, self.account, **claimed)
        yield
        with self.workspace.ledger.write() as session:
            uploaded = update(Post).where(Post.claimed_by == "another")
            session.execute(uploaded.values(state=S.PROCESSING, claimed_by=None))

    @contextmanager
    def is_taken_by_nobody(self) -> Iterator[None]:
        yield

    @contextmanager
    def is_taken_by_a_run_without_workers(self) -> Iterator[None]:
        now = self.clock()
        with self.workspace.ledger.write() as session:
            claims.claim(session, [self.post_id], run_id="scheduled__1", now=now, claim=DAY)
        yield
        self.change(claimed_by=None, claimed_until=None)


Reason: TypeAlias = Callable[[LateOne], AbstractContextManager[None]]
PASSING: Final[list[Reason]] = [
    LateOne.waits_for_its_budget,
    LateOne.waits_for_its_next_try,
    LateOne.is_uploaded_until_its_worker_dies,
    LateOne.waits_for_the_end_of_an_outage,
    LateOne.waits_for_others_of_a_backlog,
]
STALLS: Final[list[Reason]] = [
    LateOne.is_taken_by_nobody,
    LateOne.is_taken_by_a_run_without_workers,
]


@pytest.fixture
def late_one(workspace: Workspace, account: Account, clock: Clock) -> LateOne:
    """A post that was due half an hour ago."""
    post = make_post(workspace, account)
    clock.advance(HALF_AN_HOUR)
    return LateOne(workspace, account, post.id, clock)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("waits", [LateOne.waits_for_a_person, *PASSING])
def test_what_waited_for_something_and_then_stalls_is_told_again_once(
    workspace: Workspace, late_one: LateOne, clock: Clock, waits: Reason, stalls: Reason, look: Look
) -> None:
    with waits(late_one):
        assert look(workspace) == {late_one.post_id: False}
        clock.advance(HOUR)
        assert look(workspace) == {}  # for the same reason
    with stalls(late_one):
        clock.advance(HALF_AN_HOUR)
        assert look(workspace) == {late_one.post_id: True}
        clock.advance(HOUR)
        assert look(workspace) == {}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("stalls", STALLS)
def test_each_time_that_it_is_due_and_nobody_begins_it_is_told(
    workspace: Workspace, late_one: LateOne, clock: Clock, stalls: Reason, look: Look
) -> None:
    for _ in range(2):
        with stalls(late_one):
            assert look(workspace) == {late_one.post_id: True}
        with late_one.waits_for_its_budget():
            assert look(workspace) == {}
        clock.advance(HALF_AN_HOUR - MINUTE)
        assert look(workspace) == {}  # its slot has just come
        clock.advance(MINUTE)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("waits", PASSING)
def test_what_passes_by_itself_is_told_once_and_a_person_whenever_one_is_needed(
    workspace: Workspace, late_one: LateOne, clock: Clock, waits: Reason, look: Look
) -> None:
    with waits(late_one):
        assert look(workspace) == {late_one.post_id: False}
    for _ in range(2):
        with late_one.waits_for_a_person():
            clock.advance(HALF_AN_HOUR)
            assert look(workspace) == {late_one.post_id: False}
            clock.advance(HOUR)
            assert look(workspace) == {}
        with late_one.waits_for_its_budget():
            assert look(workspace) == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(
    reasons=st.lists(
        st.sampled_from([LateOne.waits_for_a_person, *PASSING, *STALLS]), min_size=1, max_size=5
    )
)
def test_from_whatever_to_whatever_a_person_hears_of_it_as_often_as_one_is_needed(
    workspace: Workspace, account: Account, clock: Clock, reasons: list[Reason]
) -> None:
    late_one = LateOne(workspace, account, make_post(workspace, account).id, clock)
    told: set[object] = set()
    for reason in reasons:
        return_stalled_uploads(workspace, actor="tests")
        with reason(late_one):
            clock.advance(HALF_AN_HOUR)
            if reason is LateOne.waits_for_a_person:
                is_news = True
                told.add("late")
            elif reason in STALLS:
                is_news = late_one.due_at not in told
                told |= {late_one.due_at, "late"}
            else:
                is_news = "late" not in told
                told.add("late")
            expected = {late_one.post_id: reason in STALLS} if is_news else {}
            for look in LOOKS:
                assert look(workspace) == expected
                assert look(workspace) == {}
    late_one.change(state=S.CANCELLED)


def test_the_messages_of_a_wait_and_of_what_stalls_behind_it_are_two(
    workspace: Workspace, late_one: LateOne, clock: Clock
) -> None:
    wished_at = read_post(workspace, late_one.post_id).created_at
    told = []
    with late_one.waits_for_the_end_of_an_outage():
        told += send(workspace)
    told += send(workspace)
    with late_one.waits_for_a_person():
        told += send(workspace)
    clock.advance(HALF_AN_HOUR)
    told += send(workspace)
    assert len({alert.key for alert in told}) == len(told) == 4
    assert {(alert.event, alert.since) for alert in told} == {("post.late", wished_at)}


def test_what_stalls_long_after_its_time_is_news(
    workspace: Workspace, late_one: LateOne, clock: Clock
) -> None:
    with late_one.waits_for_a_person():
        assert send(workspace)
        clock.advance(30 * DAY)
    clock.advance(HALF_AN_HOUR)
    assert send(workspace)


def test_of_many_that_stall_and_wait_each_kind_gets_one_message(
    workspace: Workspace, account: Account, clock: Clock
) -> None:
    for _ in range(MESSAGES_MAX):
        make_post(workspace, account)
    clock.advance(MINUTE)
    stalled = [make_post(workspace, account).id for _ in range(2)]
    held = [make_post(workspace, account, state=S.HELD).id for _ in range(3)]
    clock.advance(HALF_AN_HOUR)
    *_, first, second = send(workspace)
    assert first.text.startswith("and 2 more late posts that nothing known holds up: 2 READY.")
    assert second.text.startswith("and 3 more late posts: 3 HELD.")
    assert (first.post_ids, second.post_ids) == (tuple(stalled), tuple(held))
    for post_id in held:
        release(workspace, post_id, actor="anna")
    clock.advance(HALF_AN_HOUR)
    assert [alert.post_id for alert in send(workspace)] == held
