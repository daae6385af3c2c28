"""What an account wants approved, for how long a question waits, and what no answer means."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from reelflow.domain.approval import APPROVAL_TIMEOUT_MAX_H, ApprovalPolicy, TimeoutAction
from reelflow.domain.post import PostState
from reelflow.exceptions import ConfigurationError
from reelflow.ledger import accounts, damage, posts
from reelflow.ledger.models import Account, Post
from reelflow.services.intake.waiting import approval_wait, hold, is_unapproved
from reelflow.services.workspace import Workspace


@dataclass(frozen=True)
class Changed:
    """An account as it stands now.

    :param held: posts that were to go, and wait for approval now
    """

    account: Account
    held: list[int]


def change_approval(
    workspace: Workspace,
    name: str,
    *,
    actor: str,
    policy: ApprovalPolicy | None = None,
    timeout_h: float | None = None,
    on_timeout: TimeoutAction | None = None,
) -> Changed:
    """Change what is given. Posts that are READY, and that nobody approved, wait from now on.

    :param timeout_h: 0 for as long as the settings say
    :raises ConfigurationError: a question cannot wait so long
    """
    if timeout_h is not None and not 0 <= timeout_h <= APPROVAL_TIMEOUT_MAX_H:
        raise ConfigurationError(
            f"a question cannot wait {timeout_h:g} hours: give up to {APPROVAL_TIMEOUT_MAX_H}, or "
            "0 for what REELFLOW_APPROVAL_TIMEOUT_H says",
            code="approval_timeout",
        )
    held, now = [], workspace.ledger.now()
    with workspace.ledger.write() as session:
        account = accounts.by_name(session, name)
        account.approval_policy = policy or account.approval_policy
        account.approval_on_timeout = on_timeout or account.approval_on_timeout
        if timeout_h is not None:
            account.approval_timeout_h = timeout_h or None
        account.updated_at = now
        session.flush()
        ready = select(Post.id).where(
            Post.account_id == account.id, Post.state == PostState.READY, Post.approved_at.is_(None)
        )
        for post_id in session.scalars(ready.order_by(Post.id).with_for_update()).all():
            with damage.passing_over(session, post_id):
                post = posts.get(session, post_id)
                if is_unapproved(post):
                    hold(session, post, approval_wait(post), now=now, actor=actor)
                    held.append(post_id)
    return Changed(account, held)
