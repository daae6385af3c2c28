"""The last calls to the platform, for a person to look at."""

from collections import deque
from dataclasses import dataclass

CAPACITY = 200


@dataclass(frozen=True)
class AnsweredCall:
    """One call and its answer's status; never a query, a header or a body.

    :param at: Unix seconds of the world's clock.
    """

    at: float
    method: str
    path: str
    status: int


class CallLog:
    """Remembers the last :data:`CAPACITY` calls; those to ``/_sim`` do not count."""

    def __init__(self) -> None:
        self._calls: deque[AnsweredCall] = deque(maxlen=CAPACITY)

    @property
    def newest_first(self) -> list[AnsweredCall]:
        """The calls, the last one first."""
        return list(reversed(self._calls))

    def note(self, at: float, method: str, path: str, status: int) -> None:
        """Remember one call."""
        if not path.startswith("/_sim"):
            self._calls.append(AnsweredCall(at, method, path, status))

    def clear(self) -> None:
        """Forget every call."""
        self._calls.clear()
