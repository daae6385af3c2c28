"""Connections that wait for a browser: found by their state, once, in time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from reelflow.domain.post import PrivacyLevel
from reelflow.ledger import oauth_states
from reelflow.ledger.oauth_states import PendingConnection
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

PENDING = PendingConnection("acme", "http://127.0.0.1:1/callback/", "v" * 43)


def remember(workspace: Workspace, state: str, pending: PendingConnection = PENDING) -> None:
    ledger = workspace.ledger
    now = ledger.now()
    with ledger.write() as session:
        oauth_states.remember(
            session, ledger.cipher, state, pending, now=now, expires_at=now + timedelta(minutes=15)
        )


def take(workspace: Workspace, state: str) -> PendingConnection | None:
    ledger = workspace.ledger
    with ledger.write() as session:
        return oauth_states.take(session, ledger.cipher, state, now=ledger.now())


def test_a_connection_is_found_by_its_state_as_it_was(workspace: Workspace) -> None:
    private = PendingConnection("b", "https://b.example/cb", "w" * 43, PrivacyLevel.SELF_ONLY)
    remember(workspace, "one")
    remember(workspace, "two", private)
    assert take(workspace, "two") == private
    assert take(workspace, "one") == PENDING
    assert take(workspace, "three") is None


def test_of_many_that_bring_the_same_state_one_is_believed(workspace: Workspace) -> None:
    remember(workspace, "one")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: take(workspace, "one"), range(8)))
    assert [one for one in found if one is not None] == [PENDING]


def test_one_that_is_out_of_time_is_not_found(workspace: Workspace, clock: Clock) -> None:
    remember(workspace, "one")
    clock.advance(timedelta(minutes=15))
    assert take(workspace, "one") is None


def test_the_verifier_never_shows(workspace: Workspace) -> None:
    assert "v" * 43 not in repr(PENDING)
