"""How many files are taken in at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from reelflow.api.errors import ApiError

_RETRY_AFTER_S: Final = 2


class FileBodies:
    """Counts the bodies that carry files, and refuses those that are too many.

    :param max_at_once: None for no limit
    """

    def __init__(self, max_at_once: int | None) -> None:
        self._max_at_once = max_at_once
        self._under_way = 0

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a place for one body while the block lasts.

        :raises ApiError: 503 ``busy``: every place is taken
        """
        if self._max_at_once is not None and self._under_way >= self._max_at_once:
            raise ApiError(
                503,
                "busy",
                f"{self._under_way} files are being taken in already, and no more at once: try "
                "again in a moment",
                details={"max_at_once": self._max_at_once},
                # What was not read of a body would be taken for the next request.
                headers={"Retry-After": str(_RETRY_AFTER_S), "Connection": "close"},
            )
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
