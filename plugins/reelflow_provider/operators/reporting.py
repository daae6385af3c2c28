"""What the operators have in common after which is told how the posts stand."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from reelflow.exceptions import ReelflowError
from reelflow_provider.operators.base import ReelflowOperator, actor_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from reelflow.services.alerting import Alert

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

    @property
    def late_after(self) -> timedelta:
        """How long after its time a post is late."""
        return timedelta(minutes=self.settings.late_after_min)

    def untold(self) -> list[Alert]:
        """Return what people are to be told of after this task."""
        from reelflow.services import alerting

        return alerting.untold(self.workspace)


def followed_by(ours: Callable[[Context], None], callbacks: Callbacks) -> list[Any]:
    """Return the callbacks of whoever uses an operator, and one of ours behind them."""
    if callbacks is None:
        return [ours]
    return [*([callbacks] if callable(callbacks) else callbacks), ours]


def _report(context: Context) -> None:
    from reelflow_provider.notifications.alerts import Teller, tell_alerts
    from reelflow_provider.stats import set_gauges

    task: Any = context["task"]
    try:
        set_gauges(task.workspace, late_after=task.late_after)
    except ReelflowError as exc:
        log.warning("no metrics were set: %s", exc)
    told = Teller(task.settings, task.workspace, task.untold, actor_of(context), {**context})
    tell_alerts(told)
