"""The retry policy: one reading of the error tree."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import RetryAction, RetryDecision
from airflow.sdk.exceptions import AirflowException

from reelflow.exceptions import (
    ConfigurationError,
    MediaRejectedError,
    MediaToolError,
    PostFailedError,
    TerminalError,
    TikTokRateLimitedError,
    TikTokUnreachableError,
    TransientError,
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
