"""The pace at which bodies are read, so that Airflow's own requests have their turn beside them."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Message, Receive

#: Of all bodies together. Two that were read as fast as they came, 230 MB a second, kept the
#: interpreter busy: of what Airflow itself was asked, p95 took four to ten times as long.
BYTES_PER_S: Final = 32 * 1024 * 1024
#: A shorter pause would cost more than what is done in between.
_SHORTEST_PAUSE_S: Final = 0.002


class Pace:
    """Lets the bodies of one process pass at no more than so many bytes a second.

    Who sends them waits in the meantime, as it would for a slow disk.

    :param bytes_per_s: of all bodies together
    """

    def __init__(self, bytes_per_s: float = BYTES_PER_S) -> None:
        self._bytes_per_s = bytes_per_s
        self._free_at = 0.0

    def slowed(self, receive: Receive) -> Receive:
        """Return what receives the messages of one request at this pace."""

        async def receive_in_time() -> Message:
            message = await receive()
            await self._wait(len(message.get("body", b"")))
            return message

        return receive_in_time

    async def _wait(self, size_bytes: int) -> None:
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now) + size_bytes / self._bytes_per_s
        if self._free_at - now >= _SHORTEST_PAUSE_S:
            await asyncio.sleep(self._free_at - now)
