"""What all watchers are: they look for work again and again, and fire while there is some."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from reelflow.exceptions import ReelflowError
from reelflow.settings import Settings

log = logging.getLogger(__name__)

#: The same work wakes the DAG at most this often.
REPEAT_S = 60.0
#: Any work does at most this often: a burst makes one run of many posts, not many of one.
CALM_S = 5.0
#: Pause after a look that found the settings wrong.
UNSET_INTERVAL_S = 5.0


class WorkWatch:
    """Decides when seen work is worth an event: level-triggered, at most once a minute a set.

    Work that a run is just taking shrinks, and is no new work; once a whole batch of it is gone,
    that run takes no more, and the rest wakes the next one.
    """

    def __init__(self, *, repeat_s: float = REPEAT_S) -> None:
        self._repeat_s = repeat_s
        self._fired_for: frozenset[str] = frozenset()
        self._fired_at_s = -repeat_s

    def fires(
        self, work: frozenset[str], *, now_s: float, batch_size: int, calm_s: float = CALM_S
    ) -> bool:
        """Say whether to wake the DAG for this work.

        :param work: names of everything that waits; empty when nothing does
        :param now_s: monotonic seconds
        :param batch_size: most that one run takes
        :param calm_s: shortest pause between two events
        """
        waited_s = now_s - self._fired_at_s
        # What was fired for is remembered while there is no work: it may be claimed for a while.
        if not work or (self._fired_for and waited_s < calm_s):
            return False
        is_left_over = len(self._fired_for - work) >= batch_size
        if work <= self._fired_for and not is_left_over and waited_s < self._repeat_s:
            return False
        self._fired_for, self._fired_at_s = work, now_s
        return True


class WorkTrigger(BaseEventTrigger):
    """Fire while there is work for a DAG; a watcher says what work is, and which DAG it wakes.

    Its events say nothing but that there is work: the DAG asks the ledger which. So an event that
    is lost, doubled or late changes nothing but the moment. It has no parameters: settings are read
    where it runs, in the triggerer.

    :cvar dag_id: the DAG that it wakes, for the log
    """

    dag_id: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's has no annotations

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {}

    @abstractmethod
    def look(self, settings: Settings) -> AsyncIterator[frozenset[str]]:
        """Give names of what waits now, place by place: what fails ends the look, not the watching.

        :raises ReelflowError: a place cannot be looked at; the log says so once
        :raises OSError: as above
        """

    def pause_s(self, settings: Settings) -> float:
        """Return the pause between two looks."""
        return settings.watch_interval_s

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again."""
        watch = WorkWatch()
        complaint = ""
        pause_s, calm_s, batch_size = UNSET_INTERVAL_S, CALM_S, 1
        while True:
            work: frozenset[str] = frozenset()
            try:
                settings = await asyncio.to_thread(Settings.load)
                pause_s, batch_size = self.pause_s(settings), settings.batch_size
                calm_s = min(CALM_S, settings.watch_interval_s)
                async for seen in self.look(settings):
                    work |= seen
                complaint = self._tell(None, complaint)
            # Airflow starts a watcher anew that ended: it would wake its DAG every second.
            except Exception as exc:  # noqa: BLE001
                complaint = self._tell(exc, complaint)
            if watch.fires(work, now_s=time.monotonic(), batch_size=batch_size, calm_s=calm_s):
                log.info("waking %s for %d posts and files", self.dag_id, len(work))
                yield TriggerEvent({"waiting": len(work)})
            await asyncio.sleep(pause_s)

    def _tell(self, exc: Exception | None, told: str) -> str:
        """Log what is wrong, once, and that it is over; return what was told."""
        complaint = "" if exc is None else str(exc) or repr(exc)
        if exc is not None and complaint != told:
            is_foreseen = isinstance(exc, ReelflowError | OSError)
            log.warning(
                "work for %s cannot be watched: %s",
                self.dag_id,
                complaint,
                exc_info=None if is_foreseen else exc,
            )
        elif told and not complaint:
            log.info("work for %s can be watched again", self.dag_id)
        return complaint
