from __future__ import annotations

from datetime import timedelta

from reelflow.ledger import chores
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES
HOUR = timedelta(hours=1)


def take(workspace: Workspace, clock: Clock, owner: str, name: str = "sweep") -> bool:
    with workspace.ledger.write() as session:
        return chores.take(session, name, owner=owner, now=clock(), until=clock() + HOUR)


def test_a_chore_is_one_processs_until_its_time_is_over(workspace: Workspace, clock: Clock) -> None:
    assert take(workspace, clock, "first")
    assert not take(workspace, clock, "second")
    assert not take(workspace, clock, "first")
    clock.advance(HOUR)
    assert take(workspace, clock, "second")
    assert not take(workspace, clock, "first")


def test_one_chore_does_not_hold_up_another(workspace: Workspace, clock: Clock) -> None:
    assert take(workspace, clock, "first", "sweep")
    assert take(workspace, clock, "second", "wash")
