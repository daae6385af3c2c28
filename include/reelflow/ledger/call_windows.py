"""Budgets in the ledger: one row an account and kind of call, locked while it is decided upon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.orm import Session

from reelflow.domain.budget import Call, Turn, Window
from reelflow.domain.post import PUBLISHED, PostMode
from reelflow.domain.publication import PublicationState
from reelflow.ledger.models import Post, Publication
from reelflow.ledger.platform_models import CallWindow
from reelflow.ledger.upsert import insert_into

_TABLE = cast("Table", CallWindow.__table__)

#: Publications that were given up, or that TikTok failed, are neither posts nor drafts.
_UNCOUNTED = (PublicationState.SUPERSEDED, PublicationState.FAILED)


@contextmanager
def locked(
    session: Session, account_ids: Collection[int], call: Call
) -> Iterator[Mapping[int, Window]]:
    """Give the windows of some accounts, held until the transaction ends, and store them after.

    :param session: of a transaction that writes
    :return: by account; one that made no such call yet has an empty window
    """
    stored = _lock(session, account_ids, call)
    missing = [account_id for account_id in account_ids if account_id not in stored]
    if missing:
        _create(session, missing, call)
        stored |= _lock(session, missing, call)
    windows = {account_id: _window(columns) for account_id, columns in stored.items()}
    yield windows
    now = {account_id: _columns(window) for account_id, window in windows.items()}
    _store(session, call, {key: now[key] for key in now if now[key] != stored[key]})


def seen(session: Session, account_ids: Collection[int]) -> dict[tuple[int, Call], Window]:
    """Return copies of the windows of some accounts, as they are now; nothing is held or stored."""
    rows = session.execute(select(_TABLE).where(_TABLE.c.account_id.in_(account_ids))).mappings()
    return {(row["account_id"], Call(row["call"])): _window(dict(row)) for row in rows}


def counted_publications(
    session: Session, *, account_id: int, mode: PostMode, since: datetime, but_not: int
) -> Mapping[int, datetime]:
    """Return the account's posts that count as posts, or as waiting drafts, since a time.

    :param mode: which of the two
    :param but_not: the post that asks
    :return: by post, when its latest publication was begun
    """
    query = (
        select(Publication.post_id, Publication.created_at)
        .join(Post, Post.id == Publication.post_id)
        .where(
            Publication.created_at > since,
            # Neither this nor the sum can be looked up in an index: SQLite would go through all
            # publications that ever ended well, or all posts that the account ever had.
            Publication.state.not_in(_UNCOUNTED),
            Post.account_id + 0 == account_id,
            Post.id != but_not,
            Post.mode == mode,
        )
        .order_by(Publication.created_at)
    )
    if mode is PostMode.DRAFT:
        query = query.where(Post.state.not_in(PUBLISHED))
    return {row.post_id: row.created_at for row in session.execute(query)}


def count_by_account(session: Session, *, mode: PostMode, since: datetime) -> Counter[int]:
    """Return how many posts of each account count as :func:`counted_publications` counts them."""
    # The sum is in no index either: SQLite would go through all posts to have them by account.
    account_id = (Post.account_id + 0).label("of_account")
    query = (
        select(account_id, func.count(Publication.post_id.distinct()))
        .join(Publication, Publication.post_id == Post.id)
        .where(
            Publication.created_at > since,
            Publication.state.not_in(_UNCOUNTED),
            Post.mode == mode,
        )
        .group_by(account_id)
    )
    if mode is PostMode.DRAFT:
        query = query.where(Post.state.not_in(PUBLISHED))
    return Counter(dict(session.execute(query).all()))


def _lock(session: Session, account_ids: Collection[int], call: Call) -> dict[int, dict[str, Any]]:
    rows = session.execute(
        select(_TABLE)
        .where(_TABLE.c.call == call.value, _TABLE.c.account_id.in_(account_ids))
        .order_by(_TABLE.c.account_id)  # two that lock several never wait for each other
        .with_for_update()
    )
    return {
        row.account_id: {
            "called_at_s": row.called_at_s,
            "queue": row.queue,
            "blocked_until": row.blocked_until,
        }
        for row in rows
    }


def _create(session: Session, account_ids: Collection[int], call: Call) -> None:
    session.execute(
        insert_into(session, CallWindow).on_conflict_do_nothing(),
        [
            {"account_id": account_id, "call": call.value, "called_at_s": [], "queue": []}
            for account_id in sorted(account_ids)
        ],
    )


def _store(session: Session, call: Call, changed: Mapping[int, Mapping[str, Any]]) -> None:
    if changed:
        session.connection().execute(
            update(_TABLE).where(
                _TABLE.c.call == call.value, _TABLE.c.account_id == bindparam("of_account")
            ),
            [{"of_account": account_id, **columns} for account_id, columns in changed.items()],
        )


def _window(columns: Mapping[str, Any]) -> Window:
    blocked_until: datetime | None = columns["blocked_until"]
    return Window(
        called_at_s=list(columns["called_at_s"]),
        queue=[Turn(int(caller), slot_s) for caller, slot_s in columns["queue"]],
        blocked_until_s=blocked_until.timestamp() if blocked_until else 0.0,
    )


def _columns(window: Window) -> dict[str, Any]:
    until_s = window.blocked_until_s
    return {
        "called_at_s": window.called_at_s,
        "queue": [[turn.caller, turn.slot_s] for turn in window.queue],
        "blocked_until": datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=until_s)
        if until_s
        else None,
    }
