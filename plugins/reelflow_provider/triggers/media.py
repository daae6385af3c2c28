"""The watcher that wakes ``prepare_media``: it fires while media wait to be prepared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from reelflow.settings import Settings
from reelflow_provider.triggers.work import WorkTrigger


class MediaTrigger(WorkTrigger):
    """Fire while posts that are held, or not due yet, have media that nobody has prepared.

    And while uploads that no post publishes yet wait to be looked into. What is due is left to the
    run that publishes it. What could not be prepared rests for an hour, and is not tried for ever.
    Only the ledger is looked at.
    """

    dag_id = "prepare_media"

    async def look(self, settings: Settings) -> AsyncIterator[frozenset[str]]:
        """Look at the ledger."""
        yield await asyncio.to_thread(_waiting_media, settings)


def _waiting_media(settings: Settings) -> frozenset[str]:
    from reelflow.services.intake.ahead import waiting_media

    return waiting_media(settings.open_workspace(keeps_connections=True))
