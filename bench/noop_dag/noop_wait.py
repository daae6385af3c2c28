"""A deferrable sensor and its trigger that do nothing; the triggerer imports it from PYTHONPATH."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any, Never

from airflow.sdk import BaseSensorOperator, Context
from airflow.triggers.base import BaseTrigger, TriggerEvent


class NoopTrigger(BaseTrigger):
    """Fires after a while.

    :param wait_s: 0 for at once
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__()
        self.wait_s = wait_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the import path and how long to wait."""
        return f"{__name__}.{type(self).__name__}", {"wait_s": self.wait_s}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire."""
        await asyncio.sleep(self.wait_s)
        yield TriggerEvent({})


class NoopSensor(BaseSensorOperator):
    """Defers once, to a trigger that does nothing for ``NOOP_WAIT_S`` seconds."""

    def execute(self, context: Context) -> Never:
        """Defer."""
        wait_s = float(os.environ.get("NOOP_WAIT_S", "0"))
        self.defer(trigger=NoopTrigger(wait_s), method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Resume, and do nothing."""
