"""How many files are taken in at once, of all users and of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from reelflow.api.errors import ApiError

_RETRY_AFTER_S: Final = 2


class FileBodies:
    """Counts the bodies that carry files, and refuses those that are too many.

    No user holds every place: the last is for somebody else.

    :param max_at_once: None for no limit
    """

    def __init__(self, max_at_once: int | None) -> None:
        self._max_at_once = max_at_once
        self._under_way: Counter[str] = Counter()

    @asynccontextmanager
    async def one(self, user_id: str) -> AsyncIterator[None]:
        """Hold a place for one body of a user's while the block lasts.

        :raises ApiError: 503 ``busy``: every place is taken, or every place of this user's
        """
        if self._max_at_once is not None:
            of_one_user = max(1, self._max_at_once - 1)
            if self._under_way.total() >= self._max_at_once:
                raise _busy("files", self._max_at_once)
            if self._under_way[user_id] >= of_one_user:
                raise _busy("files of one user", of_one_user)
        self._under_way[user_id] += 1
        try:
            yield
        finally:
            self._under_way -= Counter([user_id])  # which forgets who has none left


def _busy(what: str, max_at_once: int) -> ApiError:
    return ApiError(
        503,
        "busy",
        f"{what} are taken in {max_at_once} at a time, and so many are under way: try again in a "
        "moment",
        details={"max_at_once": max_at_once},
        # What was not read of a body would be taken for the next request.
        headers={"Retry-After": str(_RETRY_AFTER_S), "Connection": "close"},
    )
