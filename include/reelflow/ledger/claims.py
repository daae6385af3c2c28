"""Claims: which run works on which posts, and how many each account has in hand; all advisory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Post

#: The lock of the run that takes posts, on PostgreSQL; any number that nothing else uses.
TAKING_LOCK: Final = 0x7265656C666C6F78


def claim(
    session: Session, post_ids: Sequence[int], *, run_id: str, now: datetime, claim: timedelta
) -> frozenset[int]:
    """Say that a run works on these posts, where no other run does; advisory.

    :return: the posts that are this run's now; what another run claimed meanwhile is not among them
    """
    # Locked in one order: two runs that claim the same posts would else wait for each other.
    free = (
        select(Post.id)
        .where(Post.id.in_(post_ids), free_for(run_id, now=now))
        .order_by(Post.id)
        .with_for_update()
    )
    claimed = session.execute(
        update(Post)
        .where(Post.id.in_(free))
        .values(claimed_by=run_id, claimed_until=now + claim)
        .returning(Post.id),
        execution_options={"synchronize_session": False},
    )
    return frozenset(claimed.scalars())


def is_held(post: Post, *, run_id: str, until: datetime) -> bool:
    """Whether a post is this run's until that time at least."""
    return (
        post.claimed_by == run_id and post.claimed_until is not None and post.claimed_until >= until
    )


def holders(session: Session, post_ids: Collection[int], *, now: datetime) -> dict[int, str]:
    """Return which run has claimed each of some posts; those that are free are not in."""
    claimed = select(Post.id, Post.claimed_by).where(Post.id.in_(post_ids), ~unclaimed(now))
    found = session.execute(claimed)
    return {post_id: run_id for post_id, run_id in found if run_id is not None}


def take_turns(session: Session) -> None:
    """Let no other run take posts until this transaction ends: what it takes counts for the next.

    On SQLite a transaction that writes has no other beside it.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(TAKING_LOCK)))


def in_hand(
    session: Session, *, now: datetime, only_of: str | None = None, but_not_of: str | None = None
) -> dict[str, int]:
    """Return how many posts runs have in hand, by account name: claimed, due, no upload begun.

    :param only_of: the one run that counts
    :param but_not_of: a run that does not count
    """
    query = (
        select(Account.name, func.count())
        .join(Post, Post.account_id == Account.id)
        .where(is_in_hand(now))
        .group_by(Account.name)
    )
    if only_of is not None:
        query = query.where(Post.claimed_by == only_of)
    if but_not_of is not None:
        query = query.where(Post.claimed_by != but_not_of)
    return dict(session.execute(query).all())


def is_in_hand(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a run has a post in hand, as :func:`in_hand` counts."""
    return and_(Post.state == PostState.READY, Post.claimed_until > now, Post.due_at <= now)


def unclaimed(now: datetime, post: type[Post] = Post) -> ColumnElement[bool]:
    """Return the condition that no run has claimed a post."""
    return or_(post.claimed_until.is_(None), post.claimed_until <= now)


def free_for(run_id: str | None, *, now: datetime) -> ColumnElement[bool]:
    """Return the condition that no run but this one has claimed a post."""
    return unclaimed(now) if run_id is None else or_(unclaimed(now), Post.claimed_by == run_id)
