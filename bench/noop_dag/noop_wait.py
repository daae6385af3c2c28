"""A deferrable sensor and its trigger that do nothing; the triggerer imports it from PYTHONPATH."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Never

from airflow.sdk import BaseSensorOperator, Context
from airflow.triggers.base import BaseTrigger, TriggerEvent


class NoopTrigger(BaseTrigger):
    """Fires at once."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the import path; there is nothing to carry."""
        return f"{__name__}.{type(self).__name__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire."""
        yield TriggerEvent({})


class NoopSensor(BaseSensorOperator):
    """Defers once, to a trigger that fires at once."""

    def execute(self, context: Context) -> Never:
        """Defer."""
        self.defer(trigger=NoopTrigger(), method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Resume, and do nothing."""
