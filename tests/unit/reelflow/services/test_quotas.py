from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from reelflow.exceptions import QuotaExceededError
from reelflow.ledger import quotas as ledger_quotas
from reelflow.services import quotas
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def session(workspace: Workspace, clock: Clock) -> Iterator[Session]:
    clock.set(NOON)
    with workspace.ledger.write() as session:
        yield session


def limit(
    session: Session, user_id: str = "anna", *, uploads: int | None = None, size: int | None = None
) -> None:
    ledger_quotas.store(
        session, user_id, uploads_per_day=uploads, bytes_per_day=size, now=NOON, actor="tests"
    )


def reserve(session: Session, user_id: str = "anna", *, size: int = 10) -> date:
    return quotas.reserve(session, user_id, uploads=1, size_bytes=size, now=NOON)


@ON_BOTH_DATABASES
def test_what_is_reserved_is_taken_when_the_upload_is_whole(session: Session) -> None:
    limit(session, uploads=2, size=100)
    day = reserve(session, size=60)
    quotas.take(session, "anna", day, uploads=1, reserved_bytes=60, taken_bytes=50)
    left = quotas.left(session, "anna", NOON)
    assert (left.uploads, left.size_bytes) == (1, 50)
    assert (left.used_uploads, left.used_bytes) == (1, 50)
    assert (left.reserved_uploads, left.reserved_bytes) == (0, 0)


@ON_BOTH_DATABASES
def test_what_is_reserved_for_nothing_is_given_back(session: Session) -> None:
    limit(session, uploads=1, size=100)
    day = reserve(session, size=100)
    with pytest.raises(QuotaExceededError):
        reserve(session)
    quotas.give_back(session, "anna", day, uploads=1, size_bytes=100)
    assert reserve(session, size=100) == day


@ON_BOTH_DATABASES
def test_a_quota_is_changed_and_taken_away(session: Session) -> None:
    limit(session, "*", uploads=5)
    limit(session, uploads=1)
    limit(session, uploads=2)
    assert quotas.left(session, "anna", NOON).uploads == 2
    assert ledger_quotas.forget(session, "anna")
    session.flush()
    assert quotas.left(session, "anna", NOON).uploads == 5
    assert not ledger_quotas.forget(session, "anna")
    assert [row.user_id for row in ledger_quotas.listed(session)] == ["*"]


def test_without_a_quota_there_is_no_limit_and_it_is_counted_all_the_same(session: Session) -> None:
    reserve(session, size=2**40)
    left = quotas.left(session, "anna", NOON)
    assert (left.uploads, left.size_bytes) == (None, None)
    assert (left.reserved_uploads, left.reserved_bytes) == (1, 2**40)


def test_a_limit_of_one_kind_leaves_the_other_free(session: Session) -> None:
    limit(session, size=100)
    for _ in range(10):
        reserve(session, size=10)
    with pytest.raises(QuotaExceededError) as refused:
        reserve(session, size=1)
    assert refused.value.context["what"] == "bytes"


def test_who_has_no_own_quota_has_everybodys(session: Session) -> None:
    limit(session, "*", uploads=1)
    limit(session, "ben", uploads=None)
    reserve(session)
    with pytest.raises(QuotaExceededError):
        reserve(session)
    reserve(session, "ben")
    reserve(session, "ben")


def test_what_one_user_uploads_is_not_anothers(session: Session) -> None:
    limit(session, "*", uploads=1)
    reserve(session, "anna")
    reserve(session, "ben")


def test_the_refusal_says_what_is_used_and_when_there_is_more(session: Session) -> None:
    limit(session, uploads=1)
    reserve(session)
    with pytest.raises(QuotaExceededError, match="wait until 2026-11-21 00:00 UTC") as refused:
        reserve(session)
    assert refused.value.retry_after_s == 12 * 3600
    assert refused.value.context == {
        "what": "uploads",
        "limit": 1,
        "used": 1,
        "wanted": 1,
        "reset_at": "2026-11-21T00:00:00+00:00",
    }


def test_nothing_is_reserved_of_the_one_where_the_other_is_used_up(session: Session) -> None:
    limit(session, uploads=5, size=100)
    with pytest.raises(QuotaExceededError):
        reserve(session, size=101)
    left = quotas.left(session, "anna", NOON)
    assert (left.reserved_uploads, left.reserved_bytes) == (0, 0)


def test_the_next_day_begins_at_midnight_of_utc(session: Session) -> None:
    limit(session, uploads=1)
    reserve(session)
    midnight = NOON + timedelta(hours=12)
    assert quotas.left(session, "anna", midnight - timedelta(seconds=1)).uploads == 0
    assert quotas.left(session, "anna", midnight).uploads == 1


def test_what_was_reserved_yesterday_is_taken_of_yesterday(session: Session) -> None:
    limit(session, uploads=1)
    day = reserve(session)
    quotas.take(session, "anna", day, uploads=1, reserved_bytes=10, taken_bytes=10)
    tomorrow = NOON + timedelta(days=1)
    assert quotas.left(session, "anna", tomorrow).uploads == 1
    assert quotas.left(session, "anna", NOON).used_uploads == 1


def test_what_is_given_back_twice_makes_no_room_that_there_is_not(session: Session) -> None:
    limit(session, uploads=1, size=10)
    day = reserve(session)
    for _ in range(2):
        quotas.give_back(session, "anna", day, uploads=1, size_bytes=10)
    left = quotas.left(session, "anna", NOON)
    assert (left.uploads, left.size_bytes) == (1, 10)


STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "take", "give_back"]), st.integers(0, 40)), max_size=30
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(steps=STEPS)
def test_whatever_happens_no_more_is_used_and_reserved_than_the_limits(
    workspace: Workspace, steps: list[tuple[str, int]]
) -> None:
    held: list[int] = []
    used = 0
    with workspace.ledger.write() as session:
        limit(session, uploads=6, size=100)
        for step, size in steps:
            if step == "reserve":
                fits = len(held) + used < 6
                try:
                    reserve(session, size=size)
                    held.append(size)
                    assert fits
                except QuotaExceededError:
                    left = quotas.left(session, "anna", NOON)
                    assert left.uploads == 0 or size > (left.size_bytes or 0)
            elif held:
                size_bytes = held.pop()
                if step == "take":
                    quotas.take(
                        session,
                        "anna",
                        NOON.date(),
                        uploads=1,
                        reserved_bytes=size_bytes,
                        taken_bytes=size_bytes,
                    )
                    used += 1
                else:
                    quotas.give_back(session, "anna", NOON.date(), uploads=1, size_bytes=size_bytes)
            left = quotas.left(session, "anna", NOON)
            assert (left.used_uploads, left.reserved_uploads) == (used, len(held))
            assert left.used_bytes + left.reserved_bytes <= 100
        session.rollback()
