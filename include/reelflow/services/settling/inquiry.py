"""Asking for many statuses in a row, without asking again what just could not be asked."""

from __future__ import annotations

from typing import Protocol

from reelflow.exceptions import (
    AccountRevokedError,
    ConfigurationError,
    ReelflowError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.tiktok.models import PublishStatus

#: Errors that every further call for the account would end with, too.
_OF_THE_ACCOUNT = (TikTokRateLimitedError, AccountRevokedError, ConfigurationError)
#: After so many failures in a row nobody is asked any more.
_MOST_FAILURES = 3


class StatusSource(Protocol):
    """What is asked of TikTok."""

    def fetch_status(self, account_id: int, publish_id: str) -> PublishStatus:
        """Return where a publish task stands."""


class StatusInquiry:
    """One round of status calls.

    An account whose budget is spent, or that must be connected again, is asked nothing more in this
    round; nobody is, once TikTok could not be reached, or failed several times in a row: each of
    its failures may take as long as a call may. The next round begins anew.
    """

    def __init__(self, tiktok: StatusSource) -> None:
        self._tiktok = tiktok
        self._stopped: dict[int, ReelflowError] = {}
        self._outage: ReelflowError | None = None
        self._failures = 0

    def fetch_status(self, account_id: int, publish_id: str) -> PublishStatus:
        """Return where a publish task stands, or raise what stands in the way of asking."""
        trouble = self._outage or self._stopped.get(account_id)
        if trouble is not None:
            raise trouble
        try:
            status = self._tiktok.fetch_status(account_id, publish_id)
        except TikTokUnavailableError as exc:
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                self._outage = TikTokUnreachableError(
                    f"TikTok failed {self._failures} times in a row, so it is asked nothing more "
                    f"for now: {exc}"
                )
            raise
        except _OF_THE_ACCOUNT as exc:
            self._stopped[account_id] = exc
            raise
        except TikTokUnreachableError as exc:
            if exc.code == TikTokUnreachableError.default_code:
                self._outage = exc
            else:  # this account's token cannot be renewed now; those of others may live
                self._stopped[account_id] = exc
            raise
        self._failures = 0
        return status


def was_asked(exc: ReelflowError) -> bool:
    """Whether TikTok was asked about a publication and told nothing of it.

    A token that is refused, a spent budget or a broken network says nothing about the publication.
    An account whose access ended cannot be asked any more: that counts as asked in vain, because
    waiting does not help.
    """
    asked = isinstance(exc, TikTokRejectedError | TikTokUnavailableError)
    return isinstance(exc, AccountRevokedError) or (asked and not isinstance(exc, TikTokAuthError))
