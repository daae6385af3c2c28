"""Whether a post may be begun at TikTok now: breaker, caps of the day, inits a minute."""

from __future__ import annotations

from reelflow.domain.budget import Call
from reelflow.exceptions import BudgetSpentError
from reelflow.ledger.models import Post
from reelflow.services import breaker, budgets
from reelflow.services.workspace import Workspace


def admit_init(workspace: Workspace, post: Post) -> None:
    """Let a post through to its init, and count that init; ask before anything is written down.

    :raises BreakerOpenError: failures spread over accounts; ask again after ``retry_after_s``
    :raises BudgetSpentError: the account's budget is spent; ``retry_after_s`` ends at a slot kept
        for the post
    """
    is_probe = breaker.check_closed(workspace, post.account_id)
    try:
        budgets.check_caps(workspace, post)
        budgets.spend(workspace, post.account_id, Call.INIT, post_id=post.id)
    except BudgetSpentError:
        if is_probe:
            breaker.give_probe_up(workspace)
        raise
