"""The port for counts and times: whoever starts a process says where they go."""

from __future__ import annotations

from typing import Final, Protocol


class Meter(Protocol):
    """Takes what is counted and timed; it never raises, and never waits."""

    def count(self, name: str, by: int = 1, **tags: str) -> None:
        """Count something that happened."""

    def time(self, name: str, seconds: float) -> None:
        """Take how long something took."""


class _NoMeter:
    """Takes everything and keeps nothing."""

    def count(self, name: str, by: int = 1, **tags: str) -> None:
        pass

    def time(self, name: str, seconds: float) -> None:
        pass


#: Where nobody wants to know.
NO_METER: Final[Meter] = _NoMeter()
