"""Which posts a run may take, fair between accounts: each account's first, then each one's second.

In each turn the accounts come first of which no run has a post in hand: with more accounts than a
batch has room for, the same ones would else go first each time.

A ledger holds a million posts that ended and a hundred thousand that are due, and a batch has a
hundred. So an account's next post is one step in an index, and no more steps are taken than the
batch needs.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    and_,
    func,
    literal,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.selectable import FromClause

from reelflow.domain.post import PostState
from reelflow.domain.schedule import BackfillRun, NormalRun, Run
from reelflow.ledger.claims import is_in_hand, unclaimed
from reelflow.ledger.models import Account, Post


@dataclass(frozen=True)
class Share:
    """What a normal run may take beside other runs.

    :param but_not_of: names of accounts of which it takes nothing
    :param most_each: most posts that it takes of each other account
    """

    but_not_of: Collection[str] = ()
    most_each: int = sys.maxsize

    def has_room_for(self, account: str) -> bool:
        """Whether it takes anything of an account."""
        return self.most_each > 0 and account not in self.but_not_of


def fair_batch(
    session: Session, run: Run, *, now: datetime, limit: int, share: Share | None = None
) -> list[int]:
    """Return the ids of posts that a run may take, in the order in which it takes them.

    :param now: the time at which claims are judged
    :param share: of a normal run; all without one
    """
    if limit < 1:
        return []
    if isinstance(run, BackfillRun):
        return list(session.scalars(_wished_for(run, now=now, limit=limit)))
    return _due(session, run, share or Share(), now=now, limit=limit)


def wished_in(start: datetime, end: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the two conditions that make a post an interval's; apart, each searches an index."""
    return (
        and_(Post.publish_at >= start, Post.publish_at < end),
        and_(Post.publish_at.is_(None), Post.created_at >= start, Post.created_at < end),
    )


def _due(session: Session, run: NormalRun, share: Share, *, now: datetime, limit: int) -> list[int]:
    """Go as many turns through the accounts as it takes to fill the batch."""
    turns = 1
    while True:
        turns = min(turns, share.most_each)
        batch = _turns(run, share.but_not_of, now=now, turns=turns, limit=limit)
        found = session.execute(batch).all() if turns else []
        deepest = sum(row.turn == turns for row in found)  # accounts that may have more
        if len(found) == limit or not deepest or turns == share.most_each:
            return [row.id for row in found]
        turns += max(turns, -(-(limit - len(found)) // deepest))


def _turns(
    run: NormalRun, but_not_of: Collection[str], *, now: datetime, turns: int, limit: int
) -> Select[tuple[int, int]]:
    """Select the first posts of every account; each step of the recursion is one turn."""
    accounts = Account.__table__
    first = aliased(Post)
    taken = (
        select(first.account_id, first.id, first.due_at, literal(1).label("turn"))
        .select_from(accounts)
        .join(first, first.id == _next_post(run, accounts, accounts.c.id, now=now))
        .where(accounts.c.name.not_in(but_not_of))
        .cte("taken", recursive=True)
    )
    after = tuple_(taken.c.due_at, taken.c.id)
    following = aliased(Post)
    taken = taken.union_all(
        select(following.account_id, following.id, following.due_at, taken.c.turn + 1)
        .select_from(taken)
        .join(
            following,
            following.id == _next_post(run, taken, taken.c.account_id, now=now, after=after),
        )
        .where(taken.c.turn < turns)
    )
    busy = select(Post.account_id).where(is_in_hand(now))
    return (
        select(taken.c.id, taken.c.turn)
        .order_by(taken.c.turn, taken.c.account_id.in_(busy), taken.c.due_at, taken.c.id)
        .limit(limit)
    )


def _next_post(
    run: NormalRun,
    of: FromClause,
    account_id: ColumnElement[int],
    *,
    now: datetime,
    after: ColumnElement[tuple[datetime, int]] | None = None,
) -> ScalarSelect[int]:
    """Select an account's first due post, or the first behind another one.

    :param of: the rows of the enclosing query that ``account_id`` and ``after`` belong to
    """
    post = aliased(Post)
    # One lower bound only: beside a second one, SQLite 3.40 would not search by account.
    behind = (
        post.due_at > run.missed_before if after is None else tuple_(post.due_at, post.id) > after
    )
    query = select(post.id).where(
        post.state == PostState.READY,
        post.account_id == account_id,
        behind,
        post.due_at <= run.run_after,
        unclaimed(now, post),
    )
    return query.order_by(post.due_at, post.id).limit(1).correlate(of).scalar_subquery()


def _wished_for(run: BackfillRun, *, now: datetime, limit: int) -> Select[tuple[int]]:
    """Select a backfill's posts: wished for in its interval, or without a wish and made in it."""
    takeable = (Post.state.in_((PostState.READY, PostState.MISSED)), unclaimed(now))
    wanted = union_all(
        *(
            select(Post.id, Post.account_id, Post.due_at).where(*takeable, wished)
            for wished in wished_in(run.start, run.end)
        )
    ).subquery()
    turn = func.row_number().over(
        partition_by=wanted.c.account_id, order_by=(wanted.c.due_at, wanted.c.id)
    )
    ranked = select(wanted.c.id, wanted.c.due_at, turn.label("turn")).subquery()
    return select(ranked.c.id).order_by(ranked.c.turn, ranked.c.due_at, ranked.c.id).limit(limit)
