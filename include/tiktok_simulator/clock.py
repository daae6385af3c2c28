"""The one clock of the simulated world, which a test can put forward."""

import time
from collections.abc import Callable


class Clock:
    """Unix time that can be put forward.

    :param source: the real time in seconds.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._advance_s = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return self._source() + self._advance_s

    def advance(self, seconds: float) -> None:
        """Put the clock forward."""
        self._advance_s += seconds

    def reset(self) -> None:
        """Go back to the real time."""
        self._advance_s = 0.0
