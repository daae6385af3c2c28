"""Whether a post may be begun at TikTok now: breaker, caps of the day, inits a minute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reelflow.exceptions import (
    AccountRevokedError,
    BudgetSpentError,
    ReelflowError,
    TikTokRejectedError,
)
from reelflow.ledger.models import Post
from reelflow.services.calls import breaker, budgets
from reelflow.services.settling.lost_init import INIT_ANSWER_LOST
from reelflow.services.workspace import Workspace


@contextmanager
def admitted(workspace: Workspace, post: Post) -> Iterator[None]:
    """Let a post through to its init, and tell the breaker how TikTok took it.

    The block asks TikTok what the post needs, and makes the init. Nothing is written down for a
    post that is not let through.

    :raises BreakerOpenError: failures spread over accounts; ask again after ``retry_after_s``
    :raises BudgetSpentError: the account's budget is spent; ``retry_after_s`` ends at a slot kept
        for the post
    """
    is_probe = _admit(workspace, post)
    has_answered = False
    try:
        yield
        has_answered = True
    except ReelflowError as exc:
        # Refused in TikTok's words: the platform works, whatever it says of the post. That an
        # account is revoked is what the ledger says: nobody was asked.
        has_answered = isinstance(exc, TikTokRejectedError) and not isinstance(
            exc, AccountRevokedError
        )
        if breaker.is_platform_failure(exc) or exc.code == INIT_ANSWER_LOST:
            breaker.record_failure(workspace, post.account_id, exc.code)
            is_probe = False
        raise
    finally:
        if has_answered and is_probe:
            breaker.record_success(workspace, post.account_id)
        elif is_probe:
            breaker.give_probe_up(workspace)


def _admit(workspace: Workspace, post: Post) -> bool:
    """Count the init; return whether it is the breaker's probe."""
    is_probe = breaker.check_closed(workspace, post.account_id)
    try:
        budgets.spend_init(workspace, post)
    except BudgetSpentError:
        if is_probe:
            breaker.give_probe_up(workspace)
        raise
    return is_probe
