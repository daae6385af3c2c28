"""What stands where, in numbers: posts by state, the queue, what is stuck, budgets left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, String, func, select, type_coerce
from sqlalchemy.orm import Session

from reelflow.domain.budget import BudgetLimits, Call, Window
from reelflow.domain.post import PostMode, PostState
from reelflow.ledger import call_windows
from reelflow.ledger.models import Account, Post
from reelflow.services.calls import breaker
from reelflow.services.late_posts import count_late
from reelflow.services.settling.for_a_person import is_stuck
from reelflow.services.workspace import Workspace

_COUNTED_BY_POSTS: Final = {Call.POST: PostMode.DIRECT, Call.DRAFT: PostMode.DRAFT}


@dataclass(frozen=True)
class Gauge:
    """One number as it is now.

    :param name: with the state or the account in it, because plain statsd has no tags
    :param tags: the same for those that have
    """

    name: str
    value: float
    tags: dict[str, str] = field(default_factory=dict)


def gauges(workspace: Workspace, *, late_after: timedelta) -> list[Gauge]:
    """Return all of them, by a handful of queries whatever the number of accounts is."""
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        return [
            *_posts_by_state(session),
            *_queue(session, now),
            Gauge("posts.late", count_late(session, now=now, late_after=late_after)),
            Gauge("breaker.open", float(breaker.state(session, now=now) is not None)),
            *_budgets_left(session, workspace.rules.budgets, now),
        ]


def _posts_by_state(session: Session) -> Iterator[Gauge]:
    stored = type_coerce(Post.state, String())  # also what somebody changed by hand
    counts = dict(session.execute(select(stored, func.count()).group_by(stored)).all())
    for state in PostState:
        tags = {"state": state.lower()}
        yield Gauge(f"posts.{state.lower()}", counts.get(str(state), 0), tags)


def _queue(session: Session, now: datetime) -> Iterator[Gauge]:
    """Give how many posts are due and not begun, how long the oldest is, and how many are stuck."""
    waits = (Post.state == PostState.READY, Post.due_at <= now)
    oldest = session.scalar(select(func.min(Post.due_at)).where(*waits))
    yield Gauge("queue.due", _count(session, *waits))
    yield Gauge("queue.age_s", (now - oldest).total_seconds() if oldest else 0.0)
    yield Gauge("posts.stuck", _count(session, is_stuck(now)))


def _count(session: Session, *conditions: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(Post).where(*conditions)) or 0


def _budgets_left(session: Session, limits: BudgetLimits, now: datetime) -> Iterator[Gauge]:
    """Give what each account that may post has left of each budget."""
    named = select(Account.id, Account.name).where(Account.revoked.is_(False))
    names = dict(session.execute(named.order_by(Account.id)).all())
    windows = call_windows.seen(session, names)
    posts = {
        call: call_windows.count_by_account(
            session, mode=mode, since=now - timedelta(seconds=limits.of(call).window_s)
        )
        for call, mode in _COUNTED_BY_POSTS.items()
    }
    for account_id, name in names.items():
        for call in Call:
            budget = limits.of(call)
            if call in posts:
                used = posts[call][account_id]
            else:
                window = windows.get((account_id, call), Window())
                window.forget(budget, now.timestamp())
                used = len(window.called_at_s)
            yield Gauge(
                f"budget_left.{call}.{name.replace('.', '_')}",
                max(budget.limit - used, 0),
                {"account": name, "call": str(call)},
            )
