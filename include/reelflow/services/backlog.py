"""A backlog: whose next posts wait, so that Airflow never has too many in hand at once."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from reelflow.ledger import claims
from reelflow.services.workspace import PublishingRules

#: With fewer posts in hand, workers would be idle by the time that the next run has begun.
_FEWEST_IN_HAND: Final = 50


def held_back(
    session: Session, rules: PublishingRules, *, now: datetime, run_id: str | None = None
) -> frozenset[str]:
    """Name the accounts whose posts wait until more of what runs have in hand is being uploaded.

    Airflow's scheduler goes through every task that waits, in each of its loops: with some hundred
    posts in hand it publishes fewer a minute, not more. An account's next posts would wait behind
    its first ones all the same; an account that has nothing in hand waits for no other's, and what
    is being uploaded, however slowly, holds nobody back.

    :param run_id: the run that asks: what it has itself does not count
    """
    in_hand = claims.in_hand(session, now=now, but_not_of=run_id)
    plenty = max(rules.batch_size // 2, _FEWEST_IN_HAND)
    return frozenset(in_hand) if sum(in_hand.values()) >= plenty else frozenset()
