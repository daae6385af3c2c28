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
)
from reelflow.services.calls.rounds import Round
from reelflow.tiktok.models import PublishStatus

#: Errors that every further call for the account would end with, too.
_OF_THE_ACCOUNT = (TikTokRateLimitedError, AccountRevokedError, ConfigurationError)


class StatusSource(Protocol):
    """What is asked of TikTok."""

    def fetch_status(self, account_id: int, publish_id: str) -> PublishStatus:
        """Return where a publish task stands."""


class StatusInquiry:
    """One :class:`~reelflow.services.calls.rounds.Round` of status calls.

    An account whose budget is spent, or that must be connected again, is asked nothing more in it,
    either. The next round begins anew.
    """

    def __init__(self, tiktok: StatusSource) -> None:
        self._tiktok = tiktok
        self._round = Round()
        self._stopped: dict[int, ReelflowError] = {}

    def fetch_status(self, account_id: int, publish_id: str) -> PublishStatus:
        """Return where a publish task stands, or raise what stands in the way of asking."""
        if account_id in self._stopped:
            raise self._stopped[account_id]
        try:
            with self._round.asking(account_id):
                return self._tiktok.fetch_status(account_id, publish_id)
        except _OF_THE_ACCOUNT as exc:
            self._stopped[account_id] = exc
            raise


def was_asked(exc: ReelflowError) -> bool:
    """Whether TikTok was asked about a publication and told nothing of it.

    A token that is refused, a spent budget or a broken network says nothing about the publication.
    An account whose access ended cannot be asked any more: that counts as asked in vain, because
    waiting does not help.
    """
    asked = isinstance(exc, TikTokRejectedError | TikTokUnavailableError)
    return isinstance(exc, AccountRevokedError) or (asked and not isinstance(exc, TikTokAuthError))
