"""The watcher that wakes ``publish_to_tiktok``: it fires while there is work, and only then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.settings import Settings
from reelflow_provider.storage import aopen_store
from reelflow_provider.triggers.work import WorkTrigger

if TYPE_CHECKING:
    from reelflow.services.waiting import WaitingPosts
    from reelflow.storage.base import MediaStore

#: Files that wait in the inbox, each with its account.
_Files = Mapping[str, str]

#: Longest pause between two looks at the ledger, which cost a few milliseconds each.
LEDGER_PAUSE_S = 1.0
#: How long the ledger waits for the inbox. A bucket that answers late holds up no due post.
INBOX_PATIENCE_S = 0.5


class UploadsTrigger(WorkTrigger):
    """Fire while posts are due and unclaimed, or quiet files of known accounts lie in the inbox.

    Held and future posts, files still being copied and folders of unknown accounts are no work;
    nor, in a backlog, is what is to go after others of its account. The ledger is looked at every
    second, the inbox as often as ``REELFLOW_WATCH_INTERVAL_S`` says: listing a bucket costs time
    and money.
    """

    dag_id = "publish_to_tiktok"

    def __init__(self) -> None:
        super().__init__()
        self._inbox = _Inbox()

    def pause_s(self, settings: Settings) -> float:
        """Return the pause between two looks at the ledger."""
        return min(settings.watch_interval_s, LEDGER_PAUSE_S)

    async def look(self, settings: Settings) -> AsyncIterator[frozenset[str]]:
        """Look at the ledger, and at the inbox when it is time for it."""
        waiting = await asyncio.to_thread(_waiting_posts, settings)
        yield waiting.names
        yield waiting.and_files(await self._inbox.seen(settings))

    async def cleanup(self) -> None:
        """Let go of a look at the inbox that is under way."""
        self._inbox.let_go()


class _Inbox:
    """What waits in the inbox, looked at now and then, and beside the ledger if that takes long."""

    def __init__(self) -> None:
        self._look: asyncio.Task[_Files] | None = None  # the latest
        self._seen: asyncio.Task[_Files] | None = None  # the latest that ended
        self._next_look_s = 0.0  # monotonic
        self._stores: dict[tuple[str, Path], MediaStore] = {}  # the one in use

    async def seen(self, settings: Settings) -> _Files:
        """Return what the latest look saw that ended; the next one may be under way.

        :raises ReelflowError: that look failed
        :raises OSError: as above
        """
        if self._look is self._seen and time.monotonic() >= self._next_look_s:
            self._next_look_s = time.monotonic() + settings.watch_interval_s
            self._look = asyncio.create_task(self._files(settings))
        if self._look is not None:
            await _wait(self._look)
            self._seen = self._look if self._look.done() else self._seen
        return self._seen.result() if self._seen else {}

    def let_go(self) -> None:
        """Await the look under way no more."""
        if self._look is not None:
            self._look.cancel()

    async def _files(self, settings: Settings) -> _Files:
        place = (settings.storage_url, settings.data_folder)
        stores, self._stores = self._stores, {}  # after trouble its connection may be another
        store = stores[place] if place in stores else await aopen_store(settings)
        files = await asyncio.to_thread(_waiting_files, settings, store)
        self._stores = {place: store}
        return files


async def _wait(look: asyncio.Task[_Files]) -> None:
    """Wait for a look until it ends, in whichever way, or takes too long."""
    try:
        async with asyncio.timeout(INBOX_PATIENCE_S):
            await asyncio.wait({look})
    except TimeoutError:
        pass


def _waiting_posts(settings: Settings) -> WaitingPosts:
    from reelflow.services.waiting import waiting_posts

    return waiting_posts(settings.open_workspace(keeps_connections=True))


def _waiting_files(settings: Settings, store: MediaStore) -> _Files:
    from reelflow.services.waiting import waiting_files

    return waiting_files(settings.open_workspace(lambda: store, keeps_connections=True))
