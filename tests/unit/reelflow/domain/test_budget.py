"""Budgets: never too many calls in a window, slots of one's own, and turns that are kept."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.budget import SLOT_LAPSES_S, Budget, BudgetLimits, Call, Window

NOW_S = 1_795_000_000.0
INIT = BudgetLimits().of(Call.INIT)
POSTS = BudgetLimits().of(Call.POST)
BUDGETS = st.builds(Budget, st.integers(1, 40), st.sampled_from([61.0, 86_401.0]))
#: A float of this century is exact to less than a microsecond.
ROUNDING_S = 1e-6


def most_in_window(times_s: Sequence[float], window_s: float) -> int:
    """Return the largest number of times in any half-open span of a window's length."""
    return max(
        (sum(start <= time < start + window_s for time in times_s) for start in times_s), default=0
    )


def burst(budget: Budget, posts: int, now_s: float = NOW_S) -> tuple[Window, list[float]]:
    """Let that many posts ask at once; return the window and the slots of those sent away."""
    window = Window()
    slots_s = [window.take(budget, now_s, post) for post in range(1, posts + 1)]
    return window, [slot_s for slot_s in slots_s if slot_s is not None]


def test_the_defaults_are_tiktok_s_documented_limits() -> None:
    budgets = {call: BudgetLimits().of(call) for call in Call}
    assert {call: budget.limit for call, budget in budgets.items()} == {
        Call.INIT: 6,
        Call.CREATOR_INFO: 20,
        Call.STATUS: 30,
        Call.POST: 15,
        Call.DRAFT: 5,
    }
    assert {call: budget.window_s for call, budget in budgets.items()} == {
        Call.INIT: 61,
        Call.CREATOR_INFO: 61,
        Call.STATUS: 61,
        Call.POST: 86_401,
        Call.DRAFT: 86_401,
    }


@pytest.mark.parametrize(("limit", "window_s"), [(0, 60), (-1, 60), (6, 0)])
def test_a_budget_that_allows_nothing_is_a_mistake(limit: int, window_s: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Budget(limit, window_s)


def test_calls_are_made_until_the_budget_is_spent_and_again_once_the_first_is_old() -> None:
    window = Window()
    assert [window.take(INIT, NOW_S + second) for second in range(6)] == [None] * 6
    assert window.take(INIT, NOW_S + 6) == NOW_S + 61
    assert window.take(INIT, NOW_S + 60.9) == NOW_S + 61
    assert window.take(INIT, NOW_S + 61) is None


@given(
    budget=BUDGETS,
    steps=st.lists(
        st.tuples(st.floats(0, 100), st.none() | st.integers(1, 12)), min_size=1, max_size=120
    ),
)
def test_no_window_ever_has_more_calls_than_the_budget(
    budget: Budget, steps: list[tuple[float, int | None]]
) -> None:
    window, called_s, now_s = Window(), list[float](), NOW_S
    for step_s, caller in steps:
        now_s += step_s
        slot_s = window.take(budget, now_s, caller)
        if slot_s is None:
            called_s.append(now_s)
        else:
            assert slot_s > now_s
    assert most_in_window(called_s, budget.window_s - ROUNDING_S) <= budget.limit


@given(budget=BUDGETS, posts=st.integers(1, 130))
def test_each_post_of_a_burst_gets_a_slot_of_its_own_that_the_budget_allows(
    budget: Budget, posts: int
) -> None:
    _, slots_s = burst(budget, posts)
    assert len(slots_s) == max(0, posts - budget.limit)
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(slots_s)]
    assert all(gap_s >= budget.spacing_s - ROUNDING_S for gap_s in gaps_s)
    made_s = [NOW_S] * min(posts, budget.limit) + slots_s
    assert most_in_window(made_s, budget.window_s - ROUNDING_S) <= budget.limit


@given(budget=BUDGETS, posts=st.integers(1, 130))
def test_a_post_that_comes_at_its_slot_is_not_sent_away_again(budget: Budget, posts: int) -> None:
    window, slots_s = burst(budget, posts)
    for post, slot_s in enumerate(slots_s, start=budget.limit + 1):
        assert window.take(budget, slot_s, post) is None
    assert window.queue == []


def test_a_hundred_posts_of_an_account_are_spread_over_a_week() -> None:
    _, slots_s = burst(POSTS, 100)
    days = [int((slot_s - NOW_S) // POSTS.window_s) for slot_s in slots_s]
    assert {day: days.count(day) for day in days} == {1: 15, 2: 15, 3: 15, 4: 15, 5: 15, 6: 10}


def test_a_newcomer_waits_behind_those_who_were_told_their_slots() -> None:
    window, slots_s = burst(INIT, 12)
    assert window.take(INIT, NOW_S + 61, 99) == pytest.approx(slots_s[0] + 61, abs=2)
    assert [window.take(INIT, slot_s, 7 + i) for i, slot_s in enumerate(slots_s)] == [None] * 6


def test_a_newcomer_takes_a_gap_that_is_left_between_slots() -> None:
    window, slots_s = burst(INIT, 24)
    window.queue = [turn for turn in window.queue if turn.caller not in {14, 15}]
    assert slots_s[5] < (window.take(INIT, NOW_S + 1, 99) or 0) < slots_s[12]


def test_a_call_without_a_caller_keeps_no_slot() -> None:
    window, _ = burst(INIT, 6)
    assert window.take(INIT, NOW_S) == window.take(INIT, NOW_S) == NOW_S + 61
    assert window.queue == []


@given(seed=st.integers(0, 2**32), posts=st.integers(7, 60))
def test_posts_that_come_late_and_in_disorder_all_go_out_after_few_tries(
    seed: int, posts: int
) -> None:
    # As Airflow makes them come: up to a minute after their slots, whoever is first.
    late = random.Random(seed)
    window, slots_s = burst(INIT, posts)
    coming = [(slot_s + late.uniform(0, 60), post) for post, slot_s in enumerate(slots_s, start=7)]
    called_s, tries = [NOW_S] * 6, dict.fromkeys(range(7, posts + 1), 0)
    while coming:
        coming.sort()
        now_s, post = coming.pop(0)
        tries[post] += 1
        slot_s = window.take(INIT, now_s, post)
        if slot_s is None:
            called_s.append(now_s)
        else:
            coming.append((slot_s + late.uniform(0, 60), post))
    assert most_in_window(called_s, 61 - ROUNDING_S) <= 6
    assert max(tries.values()) <= 6
    assert max(called_s) - NOW_S <= (posts / 6 + 2) * 61 * 2


@pytest.mark.parametrize(("after_s", "at_once"), [(SLOT_LAPSES_S - 1, 5), (SLOT_LAPSES_S, 6)])
def test_a_slot_that_nobody_came_for_is_kept_for_five_minutes_only(
    after_s: float, at_once: int
) -> None:
    window, slots_s = burst(INIT, 7)
    now_s = slots_s[0] + after_s
    newcomers = [window.take(INIT, now_s, post) for post in range(90, 96)]
    assert newcomers.count(None) == at_once


def test_who_comes_after_its_slot_lapsed_still_goes_before_later_ones() -> None:
    window, slots_s = burst(INIT, 18)  # 7 to 12 a minute later, 13 to 18 two
    now_s = slots_s[-1] + SLOT_LAPSES_S + 100
    for newcomer in range(90, 95):
        assert window.take(INIT, now_s, newcomer) is None
    assert window.take(INIT, now_s, 7) is None
    assert window.take(INIT, now_s, 8) == pytest.approx(now_s + 61, abs=6)


def test_nothing_is_called_while_tiktok_refuses_and_then_one_after_the_other() -> None:
    window = Window()
    window.block(NOW_S + 30)
    window.block(NOW_S + 10)
    slots_s = [window.take(INIT, NOW_S, post) for post in range(1, 4)]
    assert slots_s == [NOW_S + 30, NOW_S + 31, NOW_S + 32]
    assert window.take(INIT, NOW_S + 30, 1) is None


def test_times_of_a_clock_that_was_far_ahead_do_not_close_the_window_for_years() -> None:
    window = Window(called_at_s=[NOW_S + 1e8] * 6)
    assert window.take(INIT, NOW_S) is None


def test_a_clock_a_little_ahead_is_believed() -> None:
    window = Window(called_at_s=[NOW_S + 2] * 6)
    assert window.take(INIT, NOW_S) == NOW_S + 63


def test_who_was_admitted_counts_until_its_call_is_counted_elsewhere() -> None:
    budget, window = Budget(2, 86_401.0), Window()
    assert window.admit(budget, NOW_S, 1) is None
    assert window.admit(budget, NOW_S + 1, 2) is None
    assert window.admit(budget, NOW_S + 2, 1) is None  # its own turn stands in nobody's way
    assert window.admit(budget, NOW_S + 2, 3) == NOW_S + 1 + 86_401 + 1
    window.forget(budget, NOW_S + 3, counted={1})
    window.called_at_s = [NOW_S + 1]
    assert [turn.caller for turn in window.queue] == [2, 3]


def test_who_was_admitted_and_called_nothing_is_in_nobody_s_way_after_a_while() -> None:
    budget, window = Budget(1, 86_401.0), Window()
    assert window.admit(budget, NOW_S, 1) is None
    assert window.admit(budget, NOW_S + SLOT_LAPSES_S, 2) is None
