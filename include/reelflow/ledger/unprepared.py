"""Which posts' media to prepare ahead of time: those of posts that no run publishes yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Select, String, and_, exists, or_, select, type_coerce
from sqlalchemy.orm import Session

from reelflow.domain.analysis import APPROVED_BY_RELEASE
from reelflow.domain.post import PostState
from reelflow.ledger.fair_batch import unclaimed
from reelflow.ledger.models import BatchEntry, Media, Post

#: What the ids of batches begin with that are prepared ahead of time; no run's id has a slash.
AHEAD = "ahead/"


def unprepared(session: Session, *, now: datetime, tried_before: datetime, limit: int) -> list[int]:
    """Return the ids of posts whose media are to be prepared, the first that is due first.

    Nobody has validated the media of a READY post that is not due yet, or of a HELD one; or a post
    waits for approval of what its media are, and has no pictures to judge them by.

    :param tried_before: posts that were taken ahead of time after this are left out
    """
    found: list[tuple[datetime, int]] = []
    for query in (_unvalidated(now), _unpictured()):
        query = query.where(~_taken(after=tried_before)).order_by(Post.due_at, Post.id)
        found += [(due_at, post_id) for post_id, due_at in session.execute(query.limit(limit))]
    return [post_id for _, post_id in sorted(found)[:limit]]


def _unvalidated(now: datetime) -> Select[int, datetime]:
    unvalidated = select(Media.id).where(
        Media.validated_at.is_(None), Media.moved_at.is_not(None), Media.deleted_at.is_(None)
    )
    # Not by an index of states: of the posts that are scheduled, almost all are prepared.
    state = type_coerce(Post.state, String()).concat("")
    waiting = and_(state == PostState.READY, Post.due_at > now, unclaimed(now))
    # What is wrong with a held post's media is told once; they are judged again when it is READY.
    held = and_(state == PostState.HELD, Media.violations.is_(None))
    return (
        select(Post.id, Post.due_at)
        .join(Media, Media.id == Post.media_id)
        .where(Post.media_id.in_(unvalidated), or_(waiting, held))
    )


def _unpictured() -> Select[int, datetime]:
    return (
        select(Post.id, Post.due_at)
        .join(Media, Media.id == Post.media_id)
        .where(
            Post.state == PostState.HELD,
            Post.reason_code.in_(APPROVED_BY_RELEASE),
            Media.validated_at.is_not(None),
            Media.candidates.is_(None),
            Media.violations.is_(None),
            Media.deleted_at.is_(None),
        )
    )


def _taken(*, after: datetime) -> ColumnElement[bool]:
    return exists().where(
        BatchEntry.post_id == Post.id,
        BatchEntry.created_at > after,
        BatchEntry.run_id.startswith(AHEAD, autoescape=True),
    )
