"""Outages of the platform: when failures mean one, and how long nothing new is begun then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class BreakerRules:
    """When the circuit breaker before new inits opens, and when it lets one through.

    :param accounts: so many accounts must have failed for a reason of the platform's ...
    :param within: ... within this time
    :param first_pause: from opening to the first probe; doubled after each that fails
    :param longest_pause: longest such pause
    :param probe: how long a probe is believed to be under way, should its process die
    """

    accounts: int = 3
    within: timedelta = timedelta(minutes=5)
    first_pause: timedelta = timedelta(minutes=2)
    longest_pause: timedelta = timedelta(minutes=30)
    probe: timedelta = timedelta(minutes=2)

    def pause(self, failed_probes: int) -> timedelta:
        """Return how long nothing is tried after that many probes have failed."""
        doubled: int = 2 ** min(failed_probes, 16)
        return min(self.first_pause * doubled, self.longest_pause)
