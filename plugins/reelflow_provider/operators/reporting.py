"""What the operators have in common after which is told how the posts stand."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from reelflow.exceptions import ReelflowError
from reelflow_provider.operators.base import ReelflowOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

Callbacks: TypeAlias = "Callable[[Context], None] | Sequence[Callable[[Context], None]] | None"


class ReportingOperator(ReelflowOperator):
    """Base of the operators after which metrics are set, and people told of posts that need them.

    It happens whether the task succeeds or fails, once Airflow knows how it ended, so that nothing
    waits for it; and after the callbacks of whoever uses the operator, which are named here so that
    Airflow takes them from a DAG's ``default_args`` as well.
    """

    def __init__(
        self,
        *,
        on_success_callback: Callbacks = None,
        on_failure_callback: Callbacks = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            on_success_callback=followed_by(_report, on_success_callback),
            on_failure_callback=followed_by(_report, on_failure_callback),
            **kwargs,
        )


def followed_by(ours: Callable[[Context], None], callbacks: Callbacks) -> list[Any]:
    """Return the callbacks of whoever uses an operator, and one of ours behind them."""
    if callbacks is None:
        return [ours]
    return [*([callbacks] if callable(callbacks) else callbacks), ours]


def _report(context: Context) -> None:
    from reelflow_provider.notifications.alerts import tell_alerts
    from reelflow_provider.stats import set_gauges

    task: Any = context["task"]
    try:
        set_gauges(task.workspace)
    except ReelflowError as exc:
        log.warning("no metrics were set: %s", exc)
    tell_alerts(context)
