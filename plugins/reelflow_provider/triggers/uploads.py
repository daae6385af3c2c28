"""The watcher that wakes ``publish_to_tiktok``: it fires while there is work, and only then."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from reelflow.exceptions import ReelflowError
from reelflow.settings import Settings
from reelflow_provider.storage import aopen_store

if TYPE_CHECKING:
    from reelflow.storage.base import MediaStore

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


class UploadsTrigger(BaseEventTrigger):
    """Fire while posts are due and unclaimed, or quiet files of known accounts lie in the inbox.

    Held and future posts, files still being copied and folders of unknown accounts are no work.
    It has no parameters: settings are read where it runs, in the triggerer.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's has no annotations

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger."""
        return "reelflow_provider.triggers.uploads.UploadsTrigger", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the ledger and the inbox again and again."""
        watch = WorkWatch()
        complaint = ""
        interval_s = UNSET_INTERVAL_S
        stores: dict[tuple[str, Path], MediaStore] = {}  # the one in use
        while True:
            work: frozenset[str] = frozenset()
            try:
                settings = await asyncio.to_thread(Settings.load)
                interval_s = settings.watch_interval_s
                place = (settings.storage_url, settings.data_folder)
                if place not in stores:
                    stores = {place: await aopen_store(settings)}
                work = await asyncio.to_thread(_waiting_work, settings, stores[place])
                complaint = ""
            except (ReelflowError, OSError) as exc:
                stores = {}  # its connection may be another by now
                if str(exc) != complaint:
                    complaint = str(exc)
                    log.warning("the inbox and ledger cannot be watched: %s", complaint)
            if watch.fires(work, now_s=time.monotonic()):
                log.info("waking publish_to_tiktok for %d posts and files", len(work))
                yield TriggerEvent({"waiting": len(work)})
            await asyncio.sleep(interval_s)


def _waiting_work(settings: Settings, store: MediaStore) -> frozenset[str]:
    from reelflow.services.discover import waiting_work

    return waiting_work(settings.open_workspace(lambda: store))
