"""How long a lost connection is waited for: longer each time, anew after each progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from reelflow.exceptions import TransientError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Patience:
    """How often and how long something is tried again.

    :param first_pause_s: before the first repetition; doubled after each further try
    :param longest_pause_s: longest pause, unless the server asks for more
    :param give_up_after_s: pauses in a row, without any progress, last no longer than this together
    """

    first_pause_s: float = 1
    longest_pause_s: float = 30
    give_up_after_s: float = 300


class Retries:
    """The tries of one errand. Not for several threads.

    :param tell: is told of each pause: why, and how many seconds
    """

    def __init__(
        self,
        patience: Patience,
        *,
        tell: Callable[[TransientError, float], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._patience = patience
        self._tell = tell
        self._sleep = sleep
        self._next_s = patience.first_pause_s
        self._waited_s = 0.0

    def progressed(self) -> None:
        """Be as patient again as at first."""
        self._next_s = self._patience.first_pause_s
        self._waited_s = 0.0

    def wait_after(self, error: TransientError) -> None:
        """Wait before the next try.

        :raises TransientError: the error itself, when it has been waited for long enough
        """
        pause_s = max(self._next_s, error.retry_after_s or 0)
        if self._waited_s + pause_s > self._patience.give_up_after_s:
            raise error
        self._tell(error, pause_s)
        self._sleep(pause_s)
        self._waited_s += pause_s
        self._next_s = min(2 * self._next_s, self._patience.longest_pause_s)

    def call(self, ask: Callable[[], _T]) -> _T:
        """Return what a call returns, once it is answered; an answer alone is no progress.

        :raises TransientError: it was not, for too long
        """
        while True:
            try:
                return ask()
            except TransientError as error:
                self.wait_after(error)
