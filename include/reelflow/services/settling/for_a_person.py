"""Posts that settling did not help: what is left of them is a person's, who is told once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from reelflow.domain.post import PAST_LAST_BYTE, PostState
from reelflow.domain.sentence import as_sentence
from reelflow.exceptions import ReelflowError
from reelflow.ledger import audit, claims, posts
from reelflow.ledger.models import AuditEntry, Post
from reelflow.services.summarize import post_line
from reelflow.services.workspace import Workspace

#: TikTok is done with most posts within minutes; one that it works on for longer is stuck.
STUCK_AFTER: Final = timedelta(hours=24)
#: The row of a post's story that keeps it from being told every hour.
TOLD: Final = "a person was told that it does not go on by itself"


@dataclass(frozen=True)
class ForAPerson:
    """A post that a person must look at.

    :param line: where it stands and what to do
    :param is_new: whether nobody was told before, since it is in this state
    """

    post_id: int
    line: str
    is_new: bool


def posts_for_a_person(workspace: Workspace, *, run: str, actor: str) -> list[ForAPerson]:
    """Return the posts that are UNKNOWN or stuck, or that this run settled as FAILED; tell of each.

    Each is new to one run, however often that is repeated: whatever made the post what it is, and
    whatever runs did not take place meanwhile, somebody is told, and told once. What a publishing
    run has claimed is left to it.

    :param run: what the actors of this run's tasks, and of no other's, begin with
    :param actor: who tells, one of them
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        was_told = audit.was_told(TOLD, since=Post.state_since, but_by=run)
        told_before = set(session.scalars(_waiting(now).where(was_told)))
        waiting = session.scalars(_waiting(now).order_by(Post.id)).all()
        failed = session.scalars(_failed_in(run).order_by(Post.id)).all()
        new = [post_id for post_id in (*waiting, *failed) if post_id not in told_before]
        for post_id in new:
            audit.record(session, post_id=post_id, at=now, actor=actor, why=TOLD)
        return [
            ForAPerson(post_id, _line(session, post_id, now=now), post_id in new)
            for post_id in sorted({*waiting, *failed})
        ]


def is_stuck(now: datetime) -> ColumnElement[bool]:
    """Return the condition that TikTok has worked on a post for too long."""
    return and_(Post.state.in_(PAST_LAST_BYTE), Post.state_since <= now - STUCK_AFTER)


def _waiting(now: datetime) -> Select[int]:
    return select(Post.id).where(
        or_(Post.state == PostState.UNKNOWN, is_stuck(now)),
        claims.free_for(None, now=now),
        posts.unleased(now),
    )


def _failed_in(run: str) -> Select[int]:
    """Select the posts that failed after their own run had ended, but for those to be stopped."""
    by_this_run = exists().where(
        AuditEntry.post_id == Post.id,
        AuditEntry.at >= Post.state_since,
        AuditEntry.to_state == PostState.FAILED,
        AuditEntry.actor.startswith(run, autoescape=True),
    )
    return select(Post.id).where(
        Post.state == PostState.FAILED,
        Post.cancel_requested_at.is_(None),
        by_this_run.correlate(Post),
    )


def _line(session: Session, post_id: int, *, now: datetime) -> str:
    try:
        post = posts.get(session, post_id)
    except ReelflowError as exc:
        return str(exc)
    if post.state not in PAST_LAST_BYTE:
        return post_line(post)
    hours = (now - post.state_since) / timedelta(hours=1)
    return (
        f"{as_sentence(post_line(post))} TikTok has had it for {hours:.0f} hours. To fix: see what "
        f"TikTok says with `reelflow posts show {post_id}`, and look for the post in the TikTok "
        f"app; `reelflow posts cancel {post_id}` asks TikTok to stop it. It is asked on every hour"
    )
