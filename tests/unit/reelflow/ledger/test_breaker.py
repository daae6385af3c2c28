"""The breaker's row: one, opened once, gone when it is closed."""

from __future__ import annotations

from datetime import timedelta

from reelflow.ledger import breaker
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES


def test_it_is_opened_by_the_first_and_stays_as_that_one_left_it(
    workspace: Workspace, clock: Clock
) -> None:
    with workspace.ledger.write() as session:
        assert breaker.trip(session, why="first", now=clock(), probe_at=clock())
    with workspace.ledger.write() as session:
        assert not breaker.trip(session, why="second", now=clock(), probe_at=clock())
    with workspace.ledger.read() as session:
        row = breaker.get(session)
    assert row is not None
    assert (row.why, row.failed_probes, row.probing_until) == ("first", 0, None)


def test_closing_forgets_the_failures(workspace: Workspace, clock: Clock, account: Account) -> None:
    long_ago = clock() - timedelta(hours=1)
    with workspace.ledger.write() as session:
        breaker.add_failure(
            session, account_id=account.id, code="x" * 100, now=clock(), forget_before=long_ago
        )
        breaker.trip(session, why="why", now=clock(), probe_at=clock())
    with workspace.ledger.write() as session:
        assert breaker.failing_accounts(session, since=long_ago) == {"acme": "x" * 64}
        breaker.close(session)
    with workspace.ledger.read() as session:
        assert breaker.get(session) is None
        assert breaker.failing_accounts(session, since=long_ago) == {}
