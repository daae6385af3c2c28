"""Why a post that could go waits for a person all the same, from the moment it is made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from reelflow.domain.post import APPROVAL, NO_MEDIA, PostState
from reelflow.ledger import audit, posts
from reelflow.ledger.models import CODE_MAX_CHARS, Post
from reelflow.services.accounts.revocation import ACCOUNT_REVOKED, held_because, reconnect_fix
from reelflow.services.publishing.preflight import Obstacle


def find_wait(post: Post) -> Obstacle | None:
    """Return what a post waits for that has all its fields.

    Approval comes before the account's access, which releases posts by itself when it is back.
    """
    if post.media.awaited:
        return Obstacle(
            code=NO_MEDIA,
            why="it has no media yet",
            fix=f"upload them for post {post.id}",
        )
    if post.wants_approval:
        return Obstacle(
            code=APPROVAL,
            why="it waits for approval, as was asked for when it was made",
            fix=f"approve it with `reelflow posts release {post.id}`, or stop it with `reelflow "
            f"posts cancel {post.id}`",
        )
    if post.account.revoked:
        return Obstacle(
            code=ACCOUNT_REVOKED,
            why=held_because(post.account),
            fix=reconnect_fix(post.account.name),
        )
    return None


def go_or_wait(session: Session, post: Post, *, now: datetime, actor: str, why: str) -> None:
    """Make a post READY, or let it be HELD for what it waits for.

    :param post: locked by the caller's transaction
    :param why: it may go, as far as the caller knows
    """
    wait = find_wait(post)
    if wait is None:
        posts.move(session, post.id, PostState.READY, now=now, actor=actor, why=why)
    elif post.state is PostState.HELD:
        keep_waiting(session, post, wait, now=now, actor=actor, why=why)
    else:
        hold(session, post, wait, now=now, actor=actor)


def hold(session: Session, post: Post, wait: Obstacle, *, now: datetime, actor: str) -> None:
    """Make a post HELD that is READY."""
    posts.move(
        session,
        post.id,
        PostState.HELD,
        now=now,
        actor=actor,
        why=wait.why,
        code=wait.code,
        fix=wait.fix,
    )


def keep_waiting(
    session: Session, post: Post, wait: Obstacle, *, now: datetime, actor: str, why: str
) -> None:
    """Let a HELD post wait for something else.

    :param why: what it waited for is settled
    """
    post.reason, post.fix = wait.why, wait.fix
    post.reason_code = wait.code[:CODE_MAX_CHARS]
    audit.record(session, post_id=post.id, at=now, actor=actor, why=f"{why}; now {wait.why}")
