"""Budgets of an account, over all processes: a call is counted in the ledger before it is made."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.budget import Budget, BudgetLimits, Call, Window
from reelflow.domain.post import PostMode
from reelflow.exceptions import BudgetSpentError, TikTokRateLimitedError
from reelflow.ledger import call_windows
from reelflow.ledger.models import Post
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

_WHAT: Final[Mapping[Call, str]] = {
    Call.INIT: "inits a minute",
    Call.CREATOR_INFO: "creator_info calls a minute",
    Call.STATUS: "status calls a minute",
    Call.POST: "posts in 24 hours",
    Call.DRAFT: "drafts of 24 hours that wait for their creator",
}
#: What TikTok refuses by its codes, whichever call it answers with them.
_REFUSED_BY_CODE: Final[Mapping[str | None, Call]] = {
    "spam_risk_too_many_posts": Call.POST,
    "spam_risk_too_many_pending_share": Call.DRAFT,
}
_RATE_LIMITED: Final = "rate_limit_exceeded"
_DAY_S: Final = 24 * 3600.0
_MINUTE_S: Final = 60.0


@dataclass(frozen=True)
class Spent:
    """How many of the wanted calls may be made now.

    :param wait_s: when the next one may be made, seconds from now, if that is not all of them
    """

    granted: int
    wait_s: float = 0.0


def spend(workspace: Workspace, account_id: int, call: Call, *, post_id: int | None = None) -> None:
    """Count a call that is about to be made.

    :param post_id: the post that it is made for; while the budget is spent, a slot is kept for it
    :raises BudgetSpentError: do not make it; ``retry_after_s`` ends when it may be made
    """
    now_s = workspace.ledger.now().timestamp()
    budget = workspace.rules.budgets.of(call)
    with (
        workspace.ledger.write() as session,
        call_windows.locked(session, [account_id], call) as windows,
    ):
        slot_s = windows[account_id].take(budget, now_s, post_id)
    if slot_s is not None:
        raise _spent(call, budget, slot_s, now_s)


def spend_each(
    session: Session,
    limits: BudgetLimits,
    call: Call,
    wanted: Mapping[int, int],
    *,
    now: datetime,
) -> Mapping[int, Spent]:
    """Count calls of several accounts, as many of each as its budget has left.

    :param session: of a transaction that writes; make the calls after it
    :param wanted: how many calls, by account
    :return: by account, what may be made of them
    """
    now_s, budget = now.timestamp(), limits.of(call)
    with call_windows.locked(session, wanted.keys(), call) as windows:
        return {
            account_id: _take(window, budget, now_s, wanted[account_id])
            for account_id, window in windows.items()
        }


def spend_init(workspace: Workspace, post: Post) -> None:
    """Count a post that is about to be begun, and its init.

    Its account may have so many posts, or waiting drafts, in 24 hours. They are counted by their
    publications, from their init on; one that TikTok failed or that was given up does not count. A
    post that was let through counts until its publication does.

    :raises BudgetSpentError: begin nothing; ``retry_after_s`` ends at a slot kept for the post
    """
    now = workspace.ledger.now()
    call, limits = Call.DRAFT if post.mode is PostMode.DRAFT else Call.POST, workspace.rules.budgets
    with workspace.ledger.write() as session:
        slot_s = _admit(session, post, call, limits.of(call), now=now)
        if slot_s is None:
            call = Call.INIT
            with call_windows.locked(session, [post.account_id], call) as windows:
                window = windows[post.account_id]
                slot_s = window.take(limits.of(call), now.timestamp(), post.id)
    if slot_s is not None:
        raise _spent(call, limits.of(call), slot_s, now.timestamp())


def _admit(
    session: Session, post: Post, call: Call, budget: Budget, *, now: datetime
) -> float | None:
    """Let a post through, or return when its slot of 24 hours is free."""
    with call_windows.locked(session, [post.account_id], call) as windows:
        counted = call_windows.counted_publications(
            session,
            account_id=post.account_id,
            mode=post.mode,
            since=now - timedelta(seconds=budget.window_s),
            but_not=post.id,
        )
        window = windows[post.account_id]
        window.forget(budget, now.timestamp(), counted=counted.keys())
        window.called_at_s = [at.timestamp() for at in counted.values()]
        return window.admit(budget, now.timestamp(), post.id)


def block(workspace: Workspace, account_id: int, call: Call, until: datetime) -> None:
    """Make no such call for an account before a time: TikTok itself refused one."""
    with (
        workspace.ledger.write() as session,
        call_windows.locked(session, [account_id], call) as windows,
    ):
        windows[account_id].block(until.timestamp())


def record_refusal(
    workspace: Workspace, account_id: int, call: Call, exc: TikTokRateLimitedError
) -> None:
    """Heed TikTok's own refusal: its rate limit, or its count of posts or drafts.

    :param call: which was refused
    """
    blocked = call if exc.code == _RATE_LIMITED else _REFUSED_BY_CODE.get(exc.code)
    if blocked is None or isinstance(exc, BudgetSpentError):
        return
    default_s = _MINUTE_S if blocked is call else _DAY_S
    pause_s = default_s if exc.retry_after_s is None else exc.retry_after_s
    until = workspace.ledger.now() + timedelta(seconds=pause_s)
    log.warning("account %d: TikTok refuses %s until %s", account_id, blocked, until)
    block(workspace, account_id, blocked, until)


def _take(window: Window, budget: Budget, now_s: float, wanted: int) -> Spent:
    for granted in range(wanted):
        slot_s = window.take(budget, now_s)
        if slot_s is not None:
            return Spent(granted, wait_s=slot_s - now_s)
    return Spent(wanted)


def _spent(call: Call, budget: Budget, slot_s: float, now_s: float) -> BudgetSpentError:
    slot = datetime.fromtimestamp(slot_s, UTC)
    return BudgetSpentError(
        f"the account has used its {budget.limit} {_WHAT[call]}: its next free slot is at "
        f"{slot:%Y-%m-%d %H:%M:%S} UTC; nothing was sent",
        retry_after_s=slot_s - now_s,
    )
