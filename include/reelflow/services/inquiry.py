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


class StatusSource(Protocol):
    """What is asked of TikTok."""

    def fetch_status(self, account_id: int, publish_id: str) -> PublishStatus:
        """Return where a publish task stands."""


class StatusInquiry:
    """One round of status calls.

    An account whose budget is spent, or that must be connected again, is asked nothing more in this
    round; nobody is, once TikTok could not be reached. The next round begins anew.
    """

    def __init__(self, tiktok: StatusSource) -> None:
        self._tiktok = tiktok
        self._stopped: dict[int, ReelflowError] = {}
        self._unreachable: TikTokUnreachableError | None = None

    def fetch_status(self, account_id: int, publish_id: str) -> PublishStatus:
        """Return where a publish task stands, or raise what stands in the way of asking."""
        trouble = self._unreachable or self._stopped.get(account_id)
        if trouble is not None:
            raise trouble
        try:
            return self._tiktok.fetch_status(account_id, publish_id)
        except _OF_THE_ACCOUNT as exc:
            self._stopped[account_id] = exc
            raise
        except TikTokUnreachableError as exc:
            if exc.code == TikTokUnreachableError.default_code:
                self._unreachable = exc
            else:  # this account's token cannot be renewed now; those of others may live
                self._stopped[account_id] = exc
            raise


def was_asked(exc: ReelflowError) -> bool:
    """Whether TikTok was asked about a publication and told nothing of it.

    A token that is refused, a spent budget or a broken network says nothing about the publication.
    """
    asked = isinstance(exc, TikTokRejectedError | TikTokUnavailableError)
    return asked and not isinstance(exc, TikTokAuthError)
