"""What of a passing trouble is for those who run Reelflow alone, and what its users are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reelflow.exceptions import (
    BreakerOpenError,
    LeaseLostError,
    ReelflowError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)

#: They say what TikTok or our own counts said. Of the others many name a bucket, a host or a path.
_FOR_USERS: Final = (
    TikTokRejectedError,
    TikTokUnreachableError,
    TikTokUnavailableError,
    TikTokRateLimitedError,
    BreakerOpenError,
    LeaseLostError,
)
_TOLD: Final = "Reelflow cannot go on with it just now; whoever runs it finds the reason in its log"


def private_trouble(error: ReelflowError) -> str | None:
    """Return what an error says, unless users may read it."""
    return None if isinstance(error, _FOR_USERS) else str(error)


def for_users(text: str, troubles: Iterable[str]) -> str:
    """Return a text with a sentence of ours in place of what is not for users.

    :param troubles: as of :func:`private_trouble`, when they were written down
    """
    for trouble in sorted(troubles, key=len, reverse=True):  # one may be part of another
        text = text.replace(trouble, _TOLD)
    return text
