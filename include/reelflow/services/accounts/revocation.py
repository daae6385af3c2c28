"""An account whose access ended: its posts wait, HELD, and go on when it is connected again."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from reelflow.domain.post import PAST_LAST_BYTE, PostMode, PostState
from reelflow.domain.sentence import as_sentence
from reelflow.exceptions import AccountRevokedError
from reelflow.ledger import accounts, damage, posts
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

ACCOUNT_REVOKED: Final = "account_revoked"
#: The token is not the account's, by TikTok's word.
CREATOR_DIFFERS: Final = "creator_differs"
#: Reasons for which a post is HELD that a new consent of the creator settles.
RECONNECT_SETTLES: Final = frozenset(
    {
        ACCOUNT_REVOKED,
        CREATOR_DIFFERS,
        "access_token_invalid",
        "scope_not_authorized",
        "scope_permission_missed",
    }
)


def waits_for_access() -> ColumnElement[bool]:
    """Return the condition that a post goes on once its account is connected again."""
    return and_(
        Post.state == PostState.HELD,
        Post.reason_code.in_(RECONNECT_SETTLES),
        or_(Post.privacy_level.is_not(None), Post.mode == PostMode.DRAFT),
        or_(Post.wants_approval.is_(False), Post.approved_at.is_not(None)),
    )


def reconnect_fix(account_name: str) -> str:
    """Return what a person does about an account whose access ended."""
    return f"`reelflow accounts connect {account_name}`; its posts go on by themselves then"


def held_because(account: Account) -> str:
    """Return why the posts of a revoked account wait."""
    return f"the access to account {account.name} ended: {account.revoked_because or 'revoked'}"


def reason_and_fix(post: Post) -> tuple[str, str | None]:
    """Return why a post is where it is and what a person does about it, as its account is now.

    A post that TikTok may have keeps its state when the access to its account ends, and its reason
    would never say why it does not go on.
    """
    if post.state not in PAST_LAST_BYTE or not post.account.revoked:
        return post.reason, post.fix
    why = f"TikTok cannot be asked what became of it, because {held_because(post.account)}"
    return f"{as_sentence(post.reason)} {why}", reconnect_fix(post.account.name)


def revoked_error(account: Account) -> AccountRevokedError:
    """Return the error of a call for an account that is known to be revoked."""
    return AccountRevokedError(
        f"{held_because(account)}. Connect it again: {reconnect_fix(account.name)}.",
        account=account.name,
    )


def mark_revoked(
    workspace: Workspace,
    account_id: int,
    *,
    why: str,
    actor: str,
    token_version: int | None = None,
) -> list[int]:
    """Mark an account revoked and hold its posts, in one transaction.

    READY posts are held, and UPLOADING ones that no lease holder works on; a living one finds out
    by itself. COMMITTING and PROCESSING posts keep their state: TikTok may have all their bytes.

    :param why: one sentence without secrets
    :param token_version: of the tokens that were refused; nothing is done when others are stored
        by now
    :return: the ids of the posts that are held now
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        account = accounts.get(session, account_id, lock=True)
        if token_version is not None and account.token_version != token_version:
            return []
        if not account.revoked:
            account.revoked = True
            account.revoked_because = why
            # Whoever is refreshing these tokens must not bring the account back.
            account.token_version += 1
            account.refreshing_until = None
            account.updated_at = now
        held = _hold_posts(session, account, now=now, actor=actor)
    log.error("account %s is revoked, %d posts are held: %s", account.name, len(held), why)
    return held


def _hold_posts(session: Session, account: Account, *, now: datetime, actor: str) -> list[int]:
    may_go = or_(Post.state == PostState.READY, posts.stalled(now))
    waiting = session.scalars(
        select(Post.id)
        .where(Post.account_id == account.id, may_go)
        .order_by(Post.id)
        .with_for_update()  # one that a person cancels now is either held before, or not at all
    ).all()
    held = []
    for post_id in waiting:
        with damage.passing_over(session, post_id):
            posts.move(
                session,
                post_id,
                PostState.HELD,
                now=now,
                actor=actor,
                why=held_because(account),
                code=ACCOUNT_REVOKED,
                fix=reconnect_fix(account.name),
            )
            held.append(post_id)
    return held


def release_reconnected(
    session: Session, account_id: int, *, now: datetime, actor: str
) -> list[int]:
    """Let the posts go that waited for their account; in the transaction that stores its tokens.

    Each is due as it was wished, at the earliest now. One that waits for another reason stays, and
    so does one that still has no privacy level, or waits for approval besides.

    :return: the ids of the posts that are READY now
    """
    waiting = session.scalars(
        select(Post.id)
        .where(Post.account_id == account_id, waits_for_access())
        .order_by(Post.id)
        .with_for_update()  # or one that a person cancels now would go out all the same
    ).all()
    released = []
    for post_id in waiting:
        with damage.passing_over(session, post_id):
            why = "its account was connected again"
            post = posts.move(session, post_id, PostState.READY, now=now, actor=actor, why=why)
            post.rescheduled_because = None
            post.claimed_by = post.claimed_until = None
            post.due_at = max(post.publish_at or now, now)
            released.append(post_id)
    return released
