"""What the operators have in common that learn of posts which need a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from reelflow_provider.operators.base import ReelflowOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

_Callbacks: TypeAlias = "Callable[[Context], None] | Sequence[Callable[[Context], None]] | None"


class AlertingOperator(ReelflowOperator):
    """Base of the operators after which people are told of posts that need them.

    They are told whether the task succeeds or fails, after the callbacks of whoever uses it, which
    are named here so that Airflow takes them from a DAG's ``default_args`` as well.
    """

    def __init__(
        self,
        *,
        on_success_callback: _Callbacks = None,
        on_failure_callback: _Callbacks = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            on_success_callback=[*_listed(on_success_callback), _tell_alerts],
            on_failure_callback=[*_listed(on_failure_callback), _tell_alerts],
            **kwargs,
        )


def _listed(callbacks: _Callbacks) -> Sequence[Callable[[Context], None]]:
    if callbacks is None:
        return ()
    return (callbacks,) if callable(callbacks) else callbacks


def _tell_alerts(context: Context) -> None:
    from reelflow_provider.notifications.alerts import tell_alerts

    tell_alerts(context)
