"""Rounds of calls for many accounts: those that fail keep no other out, and an outage ends them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from reelflow.exceptions import TikTokRateLimitedError, TikTokUnreachableError, TransientError

_T = TypeVar("_T")

#: So many accounts that fail in a row are an outage: each may take as long as a call may.
FAILED_ACCOUNTS_MAX: Final = 5


def by_turns(items: Iterable[_T], *, account_of: Callable[[_T], int]) -> list[_T]:
    """Return items, one of each account, then a second of each, and so on.

    Which come first is drawn anew each time: in any lasting order, those that fail for good could
    stand before the others for good.
    """
    queues: dict[int, list[_T]] = {}
    for item in items:
        queues.setdefault(account_of(item), []).append(item)
    numbered = [
        (turn, item) for queue in _drawn(queues.values()) for turn, item in enumerate(_drawn(queue))
    ]
    return [item for _, item in sorted(numbered, key=lambda pair: pair[0])]


def _drawn(items: Iterable[_T]) -> list[_T]:
    found = list(items)
    random.shuffle(found)
    return found


class Round:
    """One round of calls: an account that failed is asked no more, and nobody is in an outage.

    It is an outage once :data:`FAILED_ACCOUNTS_MAX` accounts failed and no call between them
    worked. While fewer fail, every other one is asked in each round. However many do, the first so
    many of :func:`by_turns` are asked, whoever they are: each round may be the one of any account.
    """

    def __init__(self) -> None:
        self._failed: dict[int, TransientError] = {}
        self._in_a_row = 0

    @contextmanager
    def asking(self, account_id: int) -> Iterator[None]:
        """Make a call for an account within this; what it fails with goes on to the caller.

        That TikTok wants to be asked later, or refuses, is no failure.

        :raises TikTokUnreachableError: it must not be made in this round
        """
        if account_id in self._failed:
            raise TikTokUnreachableError(
                f"TikTok is not asked for this account once more after it failed: "
                f"{self._failed[account_id]}"
            )
        if self._in_a_row >= FAILED_ACCOUNTS_MAX:
            *_, last = self._failed.values()
            raise TikTokUnreachableError(
                f"{self._in_a_row} accounts failed in a row, so TikTok is asked nothing more for "
                f"now: {last}"
            )
        try:
            yield
        except TikTokRateLimitedError:
            raise
        except TransientError as exc:
            self._failed[account_id] = exc
            self._in_a_row += 1
            raise
        self._in_a_row = 0
