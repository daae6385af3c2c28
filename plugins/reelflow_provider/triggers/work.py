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
#: Pause after a look that found the settings wrong.
UNSET_INTERVAL_S = 5.0


class WorkWatch:
    """Decides when seen work is worth an event: level-triggered, at most once a minute a set.

    Work that a run is just taking shrinks, and is no new work.
    """

    def __init__(self, *, repeat_s: float = REPEAT_S) -> None:
        self._repeat_s = repeat_s
        self._fired_for: frozenset[str] = frozenset()
        self._fired_at_s = 0.0

    def fires(self, work: frozenset[str], *, now_s: float) -> bool:
        """Say whether to wake the DAG for this work.

        :param work: names of everything that waits; empty when nothing does
        :param now_s: monotonic seconds
        """
        if not work:
            return False  # what was fired for is remembered: it may be claimed for a while only
        if work <= self._fired_for and now_s - self._fired_at_s < self._repeat_s:
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
        pause_s = UNSET_INTERVAL_S
        while True:
            work: frozenset[str] = frozenset()
            try:
                settings = await asyncio.to_thread(Settings.load)
                pause_s = self.pause_s(settings)
                async for seen in self.look(settings):
                    work |= seen
                complaint = ""
            except (ReelflowError, OSError) as exc:
                if str(exc) != complaint:
                    complaint = str(exc)
                    log.warning("work for %s cannot be watched: %s", self.dag_id, complaint)
            if watch.fires(work, now_s=time.monotonic()):
                log.info("waking %s for %d posts and files", self.dag_id, len(work))
                yield TriggerEvent({"waiting": len(work)})
            await asyncio.sleep(pause_s)
