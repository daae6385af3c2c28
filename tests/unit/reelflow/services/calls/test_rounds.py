"""Rounds of calls over many accounts: who is asked in each, and how many are in an outage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.exceptions import (
    BudgetSpentError,
    ReelflowError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.services.calls.rounds import FAILED_ACCOUNTS_MAX, Round, by_turns

DOWN = TikTokUnavailableError("HTTP 500")
REFUSALS = [
    TikTokRejectedError("no such publish_id"),
    TikTokRateLimitedError("slow down"),
    BudgetSpentError("30 status calls", retry_after_s=1),
]
#: What accounts want to be asked for, each call named by its account and a number.
WISHES = st.lists(st.integers(1, 6), max_size=14).map(
    lambda sizes: [(account, n) for account, size in enumerate(sizes) for n in range(size)]
)
#: An account of 14 is among the first five of a round with a chance of 5/14 at least.
ROUNDS = 100


def play(wishes: list[tuple[int, int]], ends: dict[int, ReelflowError]) -> list[int]:
    """Ask for all wishes in one round, and return the accounts of the calls made, in order."""
    calls, asked = Round(), []
    for account, _ in by_turns(wishes, account_of=lambda wish: wish[0]):
        try:
            with calls.asking(account):
                asked.append(account)
                if account in ends:
                    raise ends[account]
        except ReelflowError:
            continue
    return asked


@given(wishes=WISHES)
def test_each_account_has_one_turn_before_any_has_two(wishes: list[tuple[int, int]]) -> None:
    found = by_turns(wishes, account_of=lambda wish: wish[0])
    assert sorted(found) == sorted(wishes)
    so_far: dict[int, int] = {}
    turns = []
    for account, _ in found:
        so_far[account] = so_far.get(account, 0) + 1
        turns.append(so_far[account])
    assert turns == sorted(turns)


@given(wishes=WISHES, failing=st.sets(st.integers(0, 13), max_size=FAILED_ACCOUNTS_MAX - 1))
def test_while_few_accounts_fail_all_that_others_want_is_asked_in_each_round(
    wishes: list[tuple[int, int]], failing: set[int]
) -> None:
    asked = play(wishes, dict.fromkeys(failing, DOWN))
    wanted = [account for account, _ in wishes]
    for account in set(wanted):
        assert asked.count(account) == (1 if account in failing else wanted.count(account))


@given(wishes=WISHES, failing=st.sets(st.integers(0, 13)))
def test_however_many_fail_for_good_every_other_account_has_its_round(
    wishes: list[tuple[int, int]], failing: set[int]
) -> None:
    asked = {
        account for _ in range(ROUNDS) for account in play(wishes, dict.fromkeys(failing, DOWN))
    }
    assert asked == {account for account, _ in wishes}


@given(wishes=WISHES)
def test_in_an_outage_few_calls_are_made(wishes: list[tuple[int, int]]) -> None:
    accounts = {account for account, _ in wishes}
    asked = play(wishes, dict.fromkeys(accounts, DOWN))
    assert len(asked) == min(len(accounts), FAILED_ACCOUNTS_MAX)


@pytest.mark.parametrize("answer", REFUSALS)
@given(wishes=WISHES)
def test_what_tiktok_refuses_or_wants_later_is_no_outage(
    answer: ReelflowError, wishes: list[tuple[int, int]]
) -> None:
    asked = play(wishes, dict.fromkeys(range(14), answer))
    assert sorted(asked) == [account for account, _ in wishes]


@given(
    wishes=WISHES,
    ends=st.dictionaries(
        st.integers(0, 13),
        st.sampled_from(
            [
                DOWN,
                TikTokUnreachableError("its token cannot be renewed", code="token_not_renewed"),
                *REFUSALS,
            ]
        ),
    ),
)
def test_no_account_is_asked_again_once_it_failed_and_only_an_answer_lets_more_fail(
    wishes: list[tuple[int, int]], ends: dict[int, ReelflowError]
) -> None:
    in_a_row: list[int] = []
    for account in play(wishes, ends):
        assert len(in_a_row) < FAILED_ACCOUNTS_MAX
        assert account not in in_a_row
        if isinstance(ends.get(account), TikTokUnavailableError | TikTokUnreachableError):
            in_a_row.append(account)
        elif account not in ends:
            in_a_row.clear()


def test_what_is_not_asked_is_told_with_the_failure_that_is_why() -> None:
    calls = Round()
    for account in range(FAILED_ACCOUNTS_MAX):
        with pytest.raises(TikTokUnavailableError), calls.asking(account):
            raise DOWN
    with pytest.raises(TikTokUnreachableError, match=r"once more after it failed: HTTP 500"):
        calls.asking(0).__enter__()
    with pytest.raises(TikTokUnreachableError, match=r"5 accounts failed in a row.*: HTTP 500"):
        calls.asking(99).__enter__()


def test_while_now_and_then_an_account_is_answered_it_is_no_outage() -> None:
    calls = Round()
    for account in range(4 * FAILED_ACCOUNTS_MAX):
        if account % FAILED_ACCOUNTS_MAX == 0:
            with calls.asking(account):
                pass
        else:
            with pytest.raises(TikTokUnavailableError), calls.asking(account):
                raise DOWN
