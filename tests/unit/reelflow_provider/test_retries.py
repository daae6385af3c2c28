"""The retry policy: one reading of the error tree."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import RetryAction, RetryDecision
from airflow.sdk.exceptions import AirflowException, AirflowTaskTimeout
from hypothesis import given
from hypothesis import strategies as st

from reelflow.exceptions import (
    BreakerOpenError,
    BudgetSpentError,
    ConfigurationError,
    MediaRejectedError,
    MediaToolError,
    PostFailedError,
    ReelflowError,
    TerminalError,
    TikTokRateLimitedError,
    TikTokUnreachableError,
    TransientError,
    WebhookRefusedError,
)
from reelflow_provider.retries import ReelflowRetryPolicy


def decide(error: BaseException) -> RetryDecision:
    return ReelflowRetryPolicy().evaluate(error, try_number=1, max_tries=3)


@pytest.mark.parametrize(
    "error",
    [
        TerminalError("no"),
        ConfigurationError("no key"),
        MediaRejectedError("too short", violations=[]),
        PostFailedError("TikTok failed it"),
    ],
)
def test_a_terminal_error_fails_at_once_and_says_its_code(error: TerminalError) -> None:
    assert decide(error) == RetryDecision.fail(reason=error.code)


@pytest.mark.parametrize("error", [TikTokUnreachableError("down"), MediaToolError("killed")])
def test_a_transient_error_is_retried_after_the_pause_of_the_task(error: TransientError) -> None:
    decision = decide(error)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, None)
    assert decision.reason == error.code


@pytest.mark.parametrize("wait_s", [0.0, 1.5, 300.0])
def test_a_transient_error_is_retried_when_the_other_side_asks_for_it(wait_s: float) -> None:
    decision = decide(TikTokRateLimitedError("slow down", retry_after_s=wait_s))
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == timedelta(seconds=wait_s)


def test_a_wait_too_long_for_a_task_fails_it_and_points_at_the_ledger() -> None:
    decision = decide(TikTokRateLimitedError("slow down", retry_after_s=300.1))
    assert decision == RetryDecision.fail(reason="rate_limit_exceeded: next try in the ledger")


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), OSError(5, "I/O"), AirflowException("theirs"), SystemExit(1)]
)
def test_what_is_not_ours_follows_the_retries_of_the_task(error: BaseException) -> None:
    assert decide(error) == RetryDecision.default()


def test_a_task_that_ran_out_of_time_is_tried_again_after_the_pause_of_the_task() -> None:
    decision = decide(AirflowTaskTimeout())
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, None)
    assert decision.reason == "task_timeout"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TikTokUnreachableError("down"), "tiktok_unreachable"),
        (BudgetSpentError("6 of 6 are used", retry_after_s=300), "budget_spent"),
        (BreakerOpenError("TikTok fails", retry_after_s=120), "breaker_open"),
        (TransientError("not yet", code="not_published"), "not_published"),
        (AirflowTaskTimeout(), "task_timeout"),
    ],
)
def test_what_is_tried_again_is_counted_but_not_at_the_last_try(
    error: BaseException, code: str, retried: list[str]
) -> None:
    for try_number in (1, 2, 3, 4):  # three retries are four tries
        ReelflowRetryPolicy().evaluate(error, try_number, max_tries=3)
    assert retried == [code] * 3
    ReelflowRetryPolicy().evaluate(error, 1, max_tries=0)
    assert retried == [code] * 3


@pytest.mark.parametrize(
    "error",
    [
        TerminalError("no"),
        TikTokRateLimitedError("slow down", retry_after_s=300.1),
        ValueError("a bug"),
    ],
)
def test_what_fails_waits_in_the_ledger_or_is_not_ours_is_not_counted(
    error: BaseException, retried: list[str]
) -> None:
    decide(error)
    assert retried == []


def classes_below(error: type[ReelflowError]) -> Iterator[type[ReelflowError]]:
    for below in error.__subclasses__():
        yield below
        yield from classes_below(below)


#: Each of the tree, without what tests and other modules made of it.
CLASSES = sorted(
    {one for one in classes_below(ReelflowError) if one.__module__ == ReelflowError.__module__},
    key=lambda one: one.__name__,
)
NEEDED: dict[type[ReelflowError], dict[str, Any]] = {
    MediaRejectedError: {"violations": []},
    WebhookRefusedError: {"reason": "stale"},
}


@pytest.mark.parametrize("error_class", CLASSES, ids=lambda one: one.__name__)
@given(wait_s=st.none() | st.floats(), try_number=st.integers(1, 10), max_tries=st.integers(0, 10))
def test_every_error_of_the_tree_is_decided_whatever_it_carries(
    error_class: type[ReelflowError], wait_s: float | None, try_number: int, max_tries: int
) -> None:
    error = error_class("what is wrong", **NEEDED.get(error_class, {}))
    if isinstance(error, TransientError):
        error.retry_after_s = wait_s
    decision = ReelflowRetryPolicy().evaluate(error, try_number, max_tries)
    assert decision.reason is not None
    assert decision.reason.startswith(error.code)
    if isinstance(error, TerminalError):
        assert decision.action is RetryAction.FAIL
        return
    assert isinstance(error, TransientError)  # there is no third kind
    if wait_s is not None and wait_s > 300:
        assert decision.action is RetryAction.FAIL
        assert "next try in the ledger" in decision.reason
    else:
        assert decision.action is RetryAction.RETRY
        is_asked_for = wait_s is not None and not math.isnan(wait_s)
        assert decision.retry_delay == (timedelta(seconds=max(wait_s, 0)) if is_asked_for else None)
