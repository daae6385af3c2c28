"""A backlog: what a run may add to what others have in hand, so that Airflow keeps its pace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from reelflow.ledger import claims
from reelflow.ledger.fair_batch import Share

#: With fewer posts in hand, workers would be idle by the time that the next run has begun.
_FEWEST_IN_HAND: Final = 50


def share_of_backlog(
    session: Session, *, batch_size: int, now: datetime, run_id: str | None = None
) -> Share | None:
    """Return what a run may add to what others have in hand; None while that is not plenty.

    Airflow's scheduler goes through every task that waits, in each of its loops: with some hundred
    posts in hand it publishes fewer a minute, not more. So an account's next posts wait until the
    uploads of its first ones are begun. One that has nothing in hand may add as many as the others
    have on average: it waits for none of them, unless they are many accounts with hardly a post
    each. What is being uploaded, however slowly, holds nobody back.

    :param batch_size: most posts of one run
    :param run_id: a run that registers: what it has itself does not count
    """
    in_hand = claims.in_hand(session, now=now, but_not_of=run_id)
    total = sum(in_hand.values())
    if total < max(batch_size // 2, _FEWEST_IN_HAND):
        return None
    return Share(but_not_of=frozenset(in_hand), most_each=_average(in_hand, total))


def _average(in_hand: Mapping[str, int], total: int) -> int:
    average = total // len(in_hand)
    return average if average > 1 else 0
