"""The watcher that wakes ``publish_to_tiktok``: it fires while there is work, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.settings import Settings
from reelflow_provider.storage import aopen_store
from reelflow_provider.triggers.work import WorkTrigger

if TYPE_CHECKING:
    from reelflow.storage.base import MediaStore


class UploadsTrigger(WorkTrigger):
    """Fire while posts are due and unclaimed, or quiet files of known accounts lie in the inbox.

    Held and future posts, files still being copied and folders of unknown accounts are no work.
    """

    dag_id = "publish_to_tiktok"

    def __init__(self) -> None:
        super().__init__()
        self._stores: dict[tuple[str, Path], MediaStore] = {}  # the one in use

    async def look(self, settings: Settings) -> AsyncIterator[frozenset[str]]:
        """Look at the ledger and the inbox."""
        place = (settings.storage_url, settings.data_folder)
        stores, self._stores = self._stores, {}  # after trouble its connection may be another
        store = stores[place] if place in stores else await aopen_store(settings)
        yield await asyncio.to_thread(_waiting_work, settings, store)
        self._stores = {place: store}


def _waiting_work(settings: Settings, store: MediaStore) -> frozenset[str]:
    from reelflow.services.discover import waiting_work

    return waiting_work(settings.open_workspace(lambda: store))
