"""Windows in the ledger: made when first asked for, stored as they were left, locked meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from reelflow.domain.budget import Call, Turn
from reelflow.domain.post import PostMode
from reelflow.ledger import call_windows
from reelflow.ledger.models import Account, Post
from reelflow.ledger.platform_models import CallWindow
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

pytestmark = ON_BOTH_DATABASES


def test_a_window_is_stored_as_it_was_left(
    workspace: Workspace, clock: Clock, account: Account
) -> None:
    now_s = clock().timestamp()
    turns = [Turn(7, now_s + 61.25), Turn(3, now_s + 60.5)]
    with (
        workspace.ledger.write() as session,
        call_windows.locked(session, [account.id], Call.INIT) as windows,
    ):
        window = windows[account.id]
        assert (window.called_at_s, window.queue, window.blocked_until_s) == ([], [], 0)
        window.called_at_s, window.queue = [now_s], turns
        window.block(now_s + 90)
    with (
        workspace.ledger.write() as session,
        call_windows.locked(session, [account.id], Call.INIT) as windows,
    ):
        window = windows[account.id]
        assert (window.called_at_s, window.queue) == ([now_s], turns)  # in the order of turns
        assert window.blocked_until_s == pytest.approx(now_s + 90, abs=1e-5)


def test_nothing_is_stored_when_the_decision_fails(workspace: Workspace, account: Account) -> None:
    def decide_and_fail() -> None:
        with (
            workspace.ledger.write() as session,
            call_windows.locked(session, [account.id], Call.INIT) as windows,
        ):
            windows[account.id].called_at_s = [1.0]
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        decide_and_fail()
    with workspace.ledger.read() as session:
        assert session.scalar(select(func.count()).select_from(CallWindow)) == 0


def test_windows_that_are_made_at_the_same_moment_are_one(
    workspace: Workspace, account: Account
) -> None:
    barrier = threading.Barrier(4)

    def add(at_s: float) -> None:
        barrier.wait(30)
        with (
            workspace.ledger.write() as session,
            call_windows.locked(session, [account.id], Call.STATUS) as windows,
        ):
            windows[account.id].called_at_s.append(at_s)

    threads = [threading.Thread(target=add, args=(float(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with (
        workspace.ledger.write() as session,
        call_windows.locked(session, [account.id], Call.STATUS) as windows,
    ):
        assert sorted(windows[account.id].called_at_s) == [0, 1, 2, 3]


def test_publications_are_counted_by_account_mode_and_age(
    workspace: Workspace,
    clock: Clock,
    account: Account,
    make_account: Callable[..., Account],
    make_post: Callable[..., Post],
) -> None:
    asking = make_post(account)
    old = make_post(account)
    make_publication(workspace, old, created_at=clock() - timedelta(days=2))
    recent = make_post(account)
    make_publication(workspace, recent)
    for other in (make_post(account, mode=PostMode.DRAFT), make_post(make_account("other"))):
        make_publication(workspace, other)
    with workspace.ledger.read() as session:
        counted = call_windows.counted_publications(
            session,
            account_id=account.id,
            mode=PostMode.DIRECT,
            since=clock() - timedelta(days=1),
            but_not=asking.id,
        )
    assert counted == {recent.id: clock()}
