"""Reelflow's numbers among Airflow's metrics, named ``reelflow.…``: docs/operations.md has them.

They go where ``[metrics]`` of Airflow's configuration says: statsd, Datadog or OpenTelemetry.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from airflow.configuration import conf
from airflow.sdk.observability import stats

if TYPE_CHECKING:
    from reelflow.services.workspace import Workspace

_PREFIX: Final = "reelflow."
_SWITCHES: Final = ("statsd_on", "statsd_datadog_enabled", "otel_on")


class StatsMeter:
    """Counts and times what happens in this process."""

    def count(self, name: str, by: int = 1, **tags: str) -> None:
        """Count something that happened; 0 is nothing."""
        if by:
            stats.incr(_PREFIX + name, by, tags=tags or None)

    def time(self, name: str, seconds: float) -> None:
        """Take how long something took; Airflow's metrics are in milliseconds."""
        stats.timing(_PREFIX + name, seconds * 1000)


def set_gauges(workspace: Workspace, *, late_after: timedelta) -> None:
    """Set what stands where, by the ledger; nothing is asked of it where nobody takes metrics.

    :raises ReelflowError: the ledger cannot be read
    """
    if not any(conf.getboolean("metrics", switch, fallback=False) for switch in _SWITCHES):
        return
    from reelflow.services.gauges import gauges

    for gauge in gauges(workspace, late_after=late_after):
        stats.gauge(_PREFIX + gauge.name, gauge.value, tags=gauge.tags or None)
