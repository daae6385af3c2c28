"""How Airflow retries: read once from the error tree, translated nowhere else."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryAction, RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowTaskTimeout

from reelflow.exceptions import TerminalError, TransientError
from reelflow_provider.stats import StatsMeter

if TYPE_CHECKING:
    from airflow.sdk import Context

#: A task waits no longer than this for its next try; the ledger has the time of a later one.
_LONGEST_DELAY = timedelta(minutes=5)


class ReelflowRetryPolicy(RetryPolicy):
    """Fail a terminal error now, retry a transient one when the other side asks for it.

    A wait longer than five minutes is not waited for by a task: the post's next try is in the
    ledger, and the run that is due then takes it.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide by the class of the error, and count the tries to come."""
        decision = _decision(exception)
        # A last try is one by Airflow's own rule, whatever is decided here.
        if decision.action is RetryAction.RETRY and decision.reason and try_number <= max_tries:
            StatsMeter().count("retries", code=decision.reason)
        return decision


def _decision(exception: BaseException) -> RetryDecision:
    """Return what is to follow; after what is not ours, the task's own retries."""
    if isinstance(exception, TerminalError):
        return RetryDecision.fail(reason=exception.code)
    if isinstance(exception, TransientError):
        if is_left_to_the_ledger(exception):
            return RetryDecision.fail(reason=f"{exception.code}: next try in the ledger")
        return RetryDecision.retry(delay=_delay(exception), reason=exception.code)
    if isinstance(exception, AirflowTaskTimeout):
        return RetryDecision.retry(reason="task_timeout")
    return RetryDecision.default()


def is_left_to_the_ledger(exception: TransientError) -> bool:
    """Say whether the next try is too far away for a task to wait for."""
    wait_s = exception.retry_after_s
    return wait_s is not None and wait_s > _LONGEST_DELAY.total_seconds()


def _delay(exception: TransientError) -> timedelta | None:
    """Return the pause that the other side asks for; None for the task's own."""
    wait_s = exception.retry_after_s
    if wait_s is None or math.isnan(wait_s):
        return None
    return timedelta(seconds=max(wait_s, 0.0))
