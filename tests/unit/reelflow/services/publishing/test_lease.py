"""The lease of an upload: one holder at a time, kept alive, lost for good to a newer one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from reelflow.exceptions import LeaseLostError, PostNotTakeableError
from reelflow.ledger import posts
from reelflow.ledger.models import Account, Post
from reelflow.services.publishing.lease import UploadLease
from reelflow.services.workspace import Workspace
from tests.database_faults import impatient
from tests.factories import Clock, change_post, read_post
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES


OWNER, OTHER = "run-1/upload[0]", "run-2/upload[0]"
DEADLINE_S = 30


@pytest.fixture
def post(account: Account, make_post: Callable[..., Post]) -> Post:
    return make_post(account)


@pytest.fixture
def hasty(workspace: Workspace) -> Workspace:
    """A workspace whose heartbeat beats each 10 ms."""
    return replace(workspace, rules=replace(workspace.rules, lease=timedelta(milliseconds=40)))


def wait_until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.002)


def test_a_lease_is_taken_with_a_newer_token_and_given_back(
    workspace: Workspace, clock: Clock, post: Post
) -> None:
    with UploadLease(workspace, post.id, owner=OWNER) as lease:
        held = read_post(workspace, post.id)
        assert (held.lease_owner, held.lease_until) == (OWNER, clock() + timedelta(seconds=120))
        assert held.fencing_token == lease.fencing_token == post.fencing_token + 1
    after = read_post(workspace, post.id)
    assert (after.lease_owner, after.lease_until) == (None, None)
    assert after.fencing_token == lease.fencing_token


def test_another_owner_is_refused_by_name_until_the_lease_lapses(
    workspace: Workspace, clock: Clock, post: Post
) -> None:
    with UploadLease(workspace, post.id, owner=OWNER) as first:
        clock.advance(timedelta(seconds=119))
        with (
            pytest.raises(PostNotTakeableError, match=r"by run-1/upload\[0\]"),
            UploadLease(workspace, post.id, owner=OTHER),
        ):
            pass
        clock.advance(timedelta(seconds=1))
        with UploadLease(workspace, post.id, owner=OTHER) as second:
            assert second.fencing_token == first.fencing_token + 1


def test_the_same_owner_takes_its_own_lease_over_at_once(workspace: Workspace, post: Post) -> None:
    with (
        UploadLease(workspace, post.id, owner=OWNER) as dead,
        UploadLease(workspace, post.id, owner=OWNER) as retry,
    ):
        assert retry.fencing_token == dead.fencing_token + 1


def test_a_lease_that_was_taken_over_is_not_given_back_by_the_old_holder(
    workspace: Workspace, post: Post
) -> None:
    with UploadLease(workspace, post.id, owner=OWNER):
        change_post(workspace, post.id, lease_owner=OTHER, fencing_token=99)
    after = read_post(workspace, post.id)
    assert after.lease_owner == OTHER
    assert after.lease_until is not None


def test_the_heartbeat_prolongs_the_lease(hasty: Workspace, clock: Clock, post: Post) -> None:
    with UploadLease(hasty, post.id, owner=OWNER) as lease:
        now = clock.advance(timedelta(minutes=10))
        wait_until(
            lambda: read_post(hasty, post.id).lease_until == now + timedelta(milliseconds=40)
        )
        lease.check()


def test_a_newer_lease_stops_the_old_holder_at_its_next_heartbeat(
    hasty: Workspace, post: Post
) -> None:
    with UploadLease(hasty, post.id, owner=OWNER) as lease:
        lease.check()
        change_post(hasty, post.id, fencing_token=lease.fencing_token + 1)
        with pytest.raises(LeaseLostError, match="taken over by another process"):
            lease.wait(DEADLINE_S)
        with pytest.raises(LeaseLostError):
            lease.check()


def test_a_pause_ends_by_itself_while_the_lease_lives(workspace: Workspace, post: Post) -> None:
    with UploadLease(workspace, post.id, owner=OWNER) as lease:
        lease.wait(0.001)


def test_a_locked_ledger_costs_the_lease_only_when_its_time_is_over(
    hasty: Workspace, clock: Clock, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    holder = impatient(hasty)
    with UploadLease(holder, post.id, owner=OWNER) as lease, hasty.ledger.write() as session:
        posts.get(session, post.id, lock=True)  # nobody else may write it now
        # The first refused beat has been judged once there is a second.
        wait_until(lambda: caplog.text.count(f"the lease of post {post.id} was not renewed") >= 2)
        lease.check()
        clock.advance(timedelta(hours=1))
        with pytest.raises(LeaseLostError):
            lease.wait(DEADLINE_S)


def test_no_thread_outlives_its_lease(workspace: Workspace, post: Post) -> None:
    with UploadLease(workspace, post.id, owner=OWNER):
        assert "upload-lease" in [thread.name for thread in threading.enumerate()]
    assert "upload-lease" not in [thread.name for thread in threading.enumerate()]
