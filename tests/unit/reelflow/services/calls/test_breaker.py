"""The breaker: opens when failures spread, lets one probe through, closes when it works."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from reelflow.exceptions import (
    BreakerOpenError,
    ReelflowError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.ledger.models import Account
from reelflow.ledger.platform_models import PlatformFailure
from reelflow.services.calls import breaker
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.calls.breaker_state import state_of

pytestmark = ON_BOTH_DATABASES

MINUTE = timedelta(minutes=1)


@pytest.fixture
def names(make_account: Callable[..., Account]) -> list[int]:
    """Five accounts."""
    return [make_account(name).id for name in ("ada", "bob", "cy", "dee", "eve")]


@pytest.fixture
def open_breaker(workspace: Workspace, names: list[int]) -> list[int]:
    """Five accounts, three of which have failed."""
    for account_id in names[:3]:
        breaker.record_failure(workspace, account_id, "internal_error")
    return names


def refused_for_s(workspace: Workspace, account_id: int) -> float:
    with pytest.raises(BreakerOpenError) as caught:
        breaker.check_closed(workspace, account_id)
    assert caught.value.retry_after_s is not None
    return caught.value.retry_after_s


def test_it_is_closed_until_three_accounts_have_failed(
    workspace: Workspace, names: list[int]
) -> None:
    for account_id in (names[0], names[0], names[0], names[1]):
        breaker.record_failure(workspace, account_id, "internal_error")
    assert not breaker.check_closed(workspace, names[0])
    assert state_of(workspace) is None
    breaker.record_failure(workspace, names[2], "tiktok_unavailable")
    assert refused_for_s(workspace, names[4]) == 120


def test_failures_that_are_far_apart_do_not_open_it(
    workspace: Workspace, clock: Clock, names: list[int]
) -> None:
    for account_id in names:
        breaker.record_failure(workspace, account_id, "internal_error")
        clock.advance(3 * MINUTE)
    assert state_of(workspace) is None
    with workspace.ledger.read() as session:
        kept = session.scalar(select(func.count()).select_from(PlatformFailure))
    assert kept == 2  # those that are too old are forgotten


def test_its_state_names_the_accounts_and_their_codes(
    workspace: Workspace, clock: Clock, open_breaker: list[int]
) -> None:
    state = state_of(workspace)
    assert state is not None
    assert state.why == (
        "3 accounts failed within 5 minutes: ada (internal_error), bob (internal_error), "
        "cy (internal_error)"
    )
    assert (state.opened_at, state.probe_at) == (clock(), clock() + 2 * MINUTE)
    assert (state.is_probing, state.failed_probes) == (False, 0)


def test_after_the_pause_one_probe_is_let_through_and_only_one(
    workspace: Workspace, clock: Clock, open_breaker: list[int]
) -> None:
    clock.advance(2 * MINUTE)
    assert breaker.check_closed(workspace, open_breaker[3]) is True
    assert refused_for_s(workspace, open_breaker[4]) == 120
    state = state_of(workspace)
    assert state is not None
    assert state.is_probing


def test_a_probe_that_works_closes_it_and_the_old_failures_are_forgotten(
    workspace: Workspace, clock: Clock, open_breaker: list[int]
) -> None:
    clock.advance(2 * MINUTE)
    breaker.check_closed(workspace, open_breaker[3])
    breaker.record_success(workspace, open_breaker[3])
    assert state_of(workspace) is None
    breaker.record_failure(workspace, open_breaker[4], "internal_error")
    assert not breaker.check_closed(workspace, open_breaker[0])


def test_each_probe_that_fails_doubles_the_pause_up_to_half_an_hour(
    workspace: Workspace, clock: Clock, open_breaker: list[int]
) -> None:
    pauses_min = []
    for _ in range(6):
        pause_s = refused_for_s(workspace, open_breaker[0])
        pauses_min.append(pause_s / 60)
        clock.advance(timedelta(seconds=pause_s))
        assert breaker.check_closed(workspace, open_breaker[0])
        breaker.record_failure(workspace, open_breaker[0], "internal_error")
    assert pauses_min == [2, 4, 8, 16, 30, 30]


def test_an_answer_from_before_the_outage_does_not_close_it(
    workspace: Workspace, open_breaker: list[int]
) -> None:
    breaker.record_success(workspace, open_breaker[3])
    assert state_of(workspace) is not None


def test_an_older_post_that_tiktok_fails_does_not_end_the_probe(
    workspace: Workspace, clock: Clock, open_breaker: list[int]
) -> None:
    clock.advance(2 * MINUTE)
    breaker.check_closed(workspace, open_breaker[3])
    breaker.record_failure(workspace, open_breaker[4], breaker.FAILED_LATER, is_of_init=False)
    breaker.record_success(workspace, open_breaker[3])
    assert state_of(workspace) is None


def test_posts_that_tiktok_fails_later_open_it_too(workspace: Workspace, names: list[int]) -> None:
    for account_id in names[:3]:
        breaker.record_failure(workspace, account_id, breaker.FAILED_LATER, is_of_init=False)
    assert state_of(workspace) is not None


def test_a_probe_whose_process_died_makes_room_for_another(
    workspace: Workspace, clock: Clock, open_breaker: list[int]
) -> None:
    clock.advance(2 * MINUTE)
    breaker.check_closed(workspace, open_breaker[3])
    clock.advance(2 * MINUTE)
    assert breaker.check_closed(workspace, open_breaker[4])


def test_a_probe_that_asked_nothing_lets_the_next_one_try_at_once(
    workspace: Workspace, clock: Clock, open_breaker: list[int]
) -> None:
    clock.advance(2 * MINUTE)
    breaker.check_closed(workspace, open_breaker[3])
    breaker.give_probe_up(workspace)
    assert breaker.check_closed(workspace, open_breaker[4])


def test_its_numbers_are_rules(workspace: Workspace, names: list[int]) -> None:
    rules = replace(workspace.rules.breaker, accounts=1, first_pause=timedelta(seconds=7))
    hasty = replace(workspace, rules=replace(workspace.rules, breaker=rules))
    breaker.record_failure(hasty, names[0], "internal_error")
    assert refused_for_s(hasty, names[0]) == 7


def test_of_many_that_come_at_once_one_probes(
    workspace: Workspace, clock: Clock, open_breaker: list[int]
) -> None:
    clock.advance(2 * MINUTE)
    barrier, probes = threading.Barrier(6), list[bool]()

    def try_it() -> None:
        barrier.wait(30)
        try:
            probes.append(breaker.check_closed(workspace, open_breaker[0]))
        except BreakerOpenError:
            probes.append(False)

    run_all(try_it, 6)
    assert sorted(probes) == [False] * 5 + [True]


def test_failures_at_the_same_moment_open_it_once(workspace: Workspace, names: list[int]) -> None:
    barrier = threading.Barrier(5)
    waiting = iter(names)

    def fail() -> None:
        account_id = next(waiting)
        barrier.wait(30)
        breaker.record_failure(workspace, account_id, "internal_error")

    run_all(fail, 5)
    assert state_of(workspace) is not None


def run_all(work: Callable[[], None], times: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def test_only_faults_of_the_platform_count(workspace: Workspace) -> None:
    counting: dict[ReelflowError, bool] = {
        TikTokUnavailableError("503"): True,
        TikTokUnreachableError("no network"): False,
        TikTokRateLimitedError("429"): False,
        TikTokRejectedError("no"): False,
    }
    assert {exc: breaker.is_platform_failure(exc) for exc in counting} == counting
