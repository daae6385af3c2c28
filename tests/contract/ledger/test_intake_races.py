"""Of what users ask for at once, no more is granted than there is, on either database."""

from datetime import timedelta
from functools import partial

import pytest

from reelflow.domain.upload_session import SessionState
from reelflow.domain.user import Scope
from reelflow.exceptions import IllegalTransitionError, QuotaExceededError
from reelflow.ledger import chores, upload_sessions
from reelflow.ledger import quotas as ledger_quotas
from reelflow.services import quotas
from reelflow.services.api_keys import authenticate_key, create_key
from reelflow.services.workspace import Workspace
from tests.contract.ledger.racing import race
from tests.factories import Clock, make_upload_session
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

RACERS = 6
SIZE = 10


@pytest.fixture
def limited(workspace: Workspace, clock: Clock) -> Workspace:
    """Anna may upload four files a day, of 35 bytes together."""
    with workspace.ledger.write() as session:
        ledger_quotas.store(
            session, "anna", uploads_per_day=4, bytes_per_day=35, now=clock(), actor="tests"
        )
    return workspace


def reserve(workspace: Workspace, size_bytes: int) -> str:
    with workspace.ledger.write() as session:
        now = workspace.ledger.now()
        return quotas.reserve(
            session, "anna", uploads=1, size_bytes=size_bytes, now=now
        ).isoformat()


@pytest.mark.parametrize(("size_bytes", "granted"), [(1, 4), (SIZE, 3)])
def test_of_uploads_that_begin_at_once_no_more_get_room_than_there_is(
    limited: Workspace, clock: Clock, size_bytes: int, granted: int
) -> None:
    answers = race([partial(reserve, limited, size_bytes)] * RACERS)
    assert answers.count(clock().date().isoformat()) == granted
    assert answers.count(QuotaExceededError) == RACERS - granted
    with limited.ledger.read() as session:
        left = quotas.left(session, "anna", clock())
    assert (left.reserved_uploads, left.reserved_bytes) == (granted, granted * size_bytes)


def test_what_uploads_take_and_give_back_at_once_is_counted_to_the_byte(
    workspace: Workspace, clock: Clock
) -> None:
    day = clock().date()
    for _ in range(RACERS):
        reserve(workspace, SIZE)

    def take() -> None:
        with workspace.ledger.write() as session:
            quotas.take(session, "anna", day, uploads=1, reserved_bytes=SIZE, taken_bytes=SIZE - 1)

    def give_back() -> None:
        with workspace.ledger.write() as session:
            quotas.give_back(session, "anna", day, uploads=1, size_bytes=SIZE)

    race([take, give_back] * (RACERS // 2))
    with workspace.ledger.read() as session:
        left = quotas.left(session, "anna", clock())
    assert (left.reserved_uploads, left.reserved_bytes) == (0, 0)
    assert (left.used_uploads, left.used_bytes) == (RACERS // 2, (SIZE - 1) * RACERS // 2)


def test_of_those_that_finish_a_session_at_once_one_does(
    workspace: Workspace, clock: Clock
) -> None:
    made = make_upload_session(workspace)

    def finish() -> str | None:
        with workspace.ledger.write() as session:
            row = upload_sessions.move(session, made.id, SessionState.FINISHING, now=clock())
            return row.state.value if row else None

    answers = race([finish] * RACERS)
    assert answers.count("finishing") == 1
    assert answers.count(IllegalTransitionError) == RACERS - 1


def test_of_processes_that_want_a_chore_one_does_it(workspace: Workspace, clock: Clock) -> None:
    until = clock() + timedelta(minutes=10)

    def take(owner: str) -> bool:
        with workspace.ledger.write() as session:
            return chores.take(session, "sweep", owner=owner, now=clock(), until=until)

    assert sum(race([partial(take, f"process {number}") for number in range(RACERS)])) == 1


def test_a_key_that_many_show_at_once_works_for_all_of_them(workspace: Workspace) -> None:
    _, token = create_key(workspace, "anna", "", frozenset({Scope.READ}), None, "tests")
    answers = race([lambda: authenticate_key(workspace, token).id] * RACERS)
    assert answers == ["anna"] * RACERS
