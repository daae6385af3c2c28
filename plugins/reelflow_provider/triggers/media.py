"""The watcher that wakes ``prepare_media``: it fires while media wait to be prepared."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from reelflow.exceptions import ReelflowError
from reelflow.settings import Settings
from reelflow_provider.triggers.uploads import UNSET_INTERVAL_S, WorkWatch

log = logging.getLogger(__name__)


class MediaTrigger(BaseEventTrigger):
    """Fire while posts that are held, or not due yet, have media that nobody has prepared.

    And while uploads that no post publishes yet wait to be looked into. What is due is left to the
    run that publishes it. What could not be prepared rests for an hour, and is not tried for ever.
    Only the ledger is looked at.
    It has no parameters: settings are read where it runs.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's has no annotations

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger."""
        return "reelflow_provider.triggers.media.MediaTrigger", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the ledger again and again."""
        watch = WorkWatch()
        complaint = ""
        interval_s = UNSET_INTERVAL_S
        while True:
            work: frozenset[str] = frozenset()
            try:
                settings = await asyncio.to_thread(Settings.load)
                interval_s = settings.watch_interval_s
                work = await asyncio.to_thread(_waiting_media, settings)
                complaint = ""
            except (ReelflowError, OSError) as exc:
                if str(exc) != complaint:
                    complaint = str(exc)
                    log.warning("media cannot be watched: %s", complaint)
            if watch.fires(work, now_s=time.monotonic()):
                log.info("waking prepare_media for %d posts and files", len(work))
                yield TriggerEvent({"waiting": len(work)})
            await asyncio.sleep(interval_s)


def _waiting_media(settings: Settings) -> frozenset[str]:
    from reelflow.services.intake.ahead import waiting_media

    return waiting_media(settings.open_workspace())
