"""Why a post that could go waits for a person all the same, from the moment it is made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from reelflow.domain.approval import ApprovalPolicy
from reelflow.domain.post import APPROVAL, NO_MEDIA, PostState
from reelflow.exceptions import PostHeldError
from reelflow.ledger import audit, posts
from reelflow.ledger.models import CODE_MAX_CHARS, Post
from reelflow.services.accounts.revocation import ACCOUNT_REVOKED, held_because, reconnect_fix
from reelflow.services.publishing.preflight import Obstacle
from reelflow.services.workspace import Workspace


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
    if is_unapproved(post):
        return approval_wait(post)
    if post.account.revoked:
        return Obstacle(
            code=ACCOUNT_REVOKED,
            why=held_because(post.account),
            fix=reconnect_fix(post.account.name),
        )
    return None


def is_unapproved(post: Post, *, by_account: bool = False) -> bool:
    """Whether a person must let a post go, and none did: it asks for that, or its account does.

    :param by_account: only whether its account does
    """
    required = post.account.approval_policy is ApprovalPolicy.REQUIRED
    wanted = required or (post.wants_approval and not by_account)
    return wanted and post.approved_at is None


def approval_wait(post: Post) -> Obstacle:
    """Return what a post waits for that a person must let go."""
    asked = "was asked for when it was made"
    if not post.wants_approval:
        asked = f"{post.account.name} asks for every post"
    return Obstacle(
        code=APPROVAL,
        why=f"it waits for approval, as {asked}",
        fix="answer it in Airflow, under Required Actions; or approve it with `reelflow posts "
        f"release {post.id}`, or stop it with `reelflow posts cancel {post.id}`",
    )


def hold_unapproved(workspace: Workspace, post_id: int, *, actor: str) -> None:
    """Hold a READY post that a person must let go first, as when its account asks for that now.

    :raises PostHeldError: it waits for approval
    """
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        if post.state is not PostState.READY or not is_unapproved(post):
            return
        wait = approval_wait(post)
        hold(session, post, wait, now=workspace.ledger.now(), actor=actor)
    raise PostHeldError(f"post {post_id} is held: {wait.why}. {wait.fix}", code=wait.code)


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
