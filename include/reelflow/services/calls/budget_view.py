"""How much of its budgets an account has used, for people and programs that look."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.budget import BudgetLimits, Call, Window
from reelflow.domain.post import PostMode
from reelflow.ledger import call_windows

#: Calls that are counted by what they left in the ledger.
_COUNTED_BY_POSTS: Final = {Call.POST: PostMode.DIRECT, Call.DRAFT: PostMode.DRAFT}
_NO_POST: Final = 0


@dataclass(frozen=True)
class BudgetUse:
    """One budget of an account.

    :param limit: at most so many in any ``window_s`` seconds
    :param used: so many were made in the last of them
    :param free_at: when the next may be made; None for now
    """

    limit: int
    window_s: float
    used: int
    free_at: datetime | None


def budget_uses(
    session: Session, limits: BudgetLimits, account_ids: Collection[int], *, now: datetime
) -> dict[int, Mapping[Call, BudgetUse]]:
    """Return the budgets of some accounts, by account; nothing is counted or kept by looking."""
    windows = call_windows.seen(session, account_ids)
    return {
        account_id: {
            call: _use(
                session, windows.get((account_id, call), Window()), limits, account_id, call, now
            )
            for call in Call
        }
        for account_id in account_ids
    }


def _use(
    session: Session,
    window: Window,
    limits: BudgetLimits,
    account_id: int,
    call: Call,
    now: datetime,
) -> BudgetUse:
    budget = limits.of(call)
    if call in _COUNTED_BY_POSTS:
        counted = call_windows.counted_publications(
            session,
            account_id=account_id,
            mode=_COUNTED_BY_POSTS[call],
            since=now - timedelta(seconds=budget.window_s),
            but_not=_NO_POST,
        )
        window.called_at_s = [at.timestamp() for at in counted.values()]
    now_s = now.timestamp()
    window.forget(budget, now_s)
    used = len(window.called_at_s)
    slot_s = window.take(budget, now_s)
    free_at = None if slot_s is None else datetime.fromtimestamp(slot_s, UTC)
    return BudgetUse(budget.limit, budget.window_s, used, free_at)
