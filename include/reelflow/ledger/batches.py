"""Batches: which posts a run took; kept, so that a cleared run gets the same posts again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reelflow.ledger.models import BatchEntry

#: What the ids of batches begin with that are prepared ahead of time; no run's id has a slash.
AHEAD: Final = "ahead/"


def post_ids(session: Session, run_id: str) -> Sequence[int]:
    """Return the posts of a run in the order they were taken."""
    return session.scalars(
        select(BatchEntry.post_id).where(BatchEntry.run_id == run_id).order_by(BatchEntry.ordinal)
    ).all()


def latest_runs(session: Session, post_ids: Collection[int]) -> dict[int, str]:
    """Return which run took each of some posts last to publish it; those that none took are not in.

    :return: the run's id, by the post's
    """
    taken = (
        select(BatchEntry.post_id, BatchEntry.run_id)
        .where(
            BatchEntry.post_id.in_(post_ids), ~BatchEntry.run_id.startswith(AHEAD, autoescape=True)
        )
        .order_by(BatchEntry.created_at)
    )
    return dict(session.execute(taken).all())


def append(session: Session, run_id: str, new_post_ids: Sequence[int], *, now: datetime) -> None:
    """Add posts behind those a run already has; one that it has is not added again."""
    known = set(post_ids(session, run_id))
    highest: int | None = session.scalar(
        select(func.max(BatchEntry.ordinal)).where(BatchEntry.run_id == run_id)
    )
    ordinal = -1 if highest is None else highest
    for post_id in new_post_ids:
        if post_id not in known:
            ordinal += 1
            known.add(post_id)
            session.add(BatchEntry(run_id=run_id, ordinal=ordinal, post_id=post_id, created_at=now))
    session.flush()
