"""Whether the detection engine can be asked: looked at now and then, and never waited for long."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from threading import Lock, Thread
from typing import Final

from reelflow.api.intake import OpenEngines
from reelflow.domain.analysis import AnalysisEngine
from reelflow.exceptions import (
    AnalysisLostError,
    AnalysisRefusedError,
    ReelflowError,
    TransientError,
)

log = logging.getLogger(__name__)

#: An analysis that nobody began: an engine that does not know it is one that answers.
_NO_ANALYSIS: Final = "reelflow-health"
#: Anybody may ask for our health as often as they like, and the engine is not asked so often.
_KEPT_S: Final = 30.0
_PATIENCE_S: Final = 2.0
_UNREACHABLE: Final = "unreachable"
#: There is none to ask: what files declare of themselves is read all the same.
NOT_CONFIGURED: Final = "not_configured"


class EngineHealth:
    """The state of the detection engine, for many threads.

    :param engines: those that this process can ask
    :param now: a clock that only goes on
    """

    def __init__(
        self,
        engines: OpenEngines,
        *,
        patience_s: float = _PATIENCE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engines = engines
        self._patience_s = patience_s
        self._now = now
        self._lock = Lock()
        self._look: Future[str] | None = None
        self._looked_at_s = 0.0

    def state(self) -> str:
        """Return ``ok``, ``unreachable`` or ``misconfigured``; :data:`NOT_CONFIGURED` for none."""
        try:
            return self._latest_look().result(self._patience_s)
        except TimeoutError:
            return _UNREACHABLE

    def _latest_look(self) -> Future[str]:
        """Return a look that goes on or is not old; there is never more than one."""
        with self._lock:
            look, now_s = self._look, self._now()
            if look is None or (look.done() and now_s - self._looked_at_s >= _KEPT_S):
                look = self._look = Future()
                self._looked_at_s = now_s
                # Nobody waits for it at the end: it changes nothing.
                Thread(target=self._finish, args=(look,), daemon=True).start()
            return look

    def _finish(self, look: Future[str]) -> None:
        try:
            look.set_result(self._ask())
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            look.set_exception(error)

    def _ask(self) -> str:
        try:
            with self._engines() as engines:
                if AnalysisEngine.HTTP not in engines:
                    return NOT_CONFIGURED
                engines[AnalysisEngine.HTTP].poll(_NO_ANALYSIS)
        except (AnalysisLostError, AnalysisRefusedError):
            return "ok"
        except ReelflowError as error:
            log.error("health: %s", error)
            is_down = isinstance(error, TransientError)
            return _UNREACHABLE if is_down else "misconfigured"
        return "ok"
