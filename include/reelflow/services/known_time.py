"""Whether a post that was not sent waits for a time that is known, so that nobody need look."""

from __future__ import annotations

from datetime import datetime

from reelflow.domain.post import PostState
from reelflow.domain.schedule import last_wish
from reelflow.ledger.models import Post


def goes_later(post: Post, *, now: datetime) -> str | None:
    """Say why a post goes out at a known time only: it is tried again, or wished for, then."""
    if post.rescheduled_because is None and post.state is PostState.READY:
        return wished_for_later(post, now=now)
    return post.rescheduled_because


def wished_for_later(post: Post, *, now: datetime) -> str | None:
    """Say for when a post is wished that is to wait for that; None if a run may send it now."""
    wished_at = post.publish_at
    if wished_at is None or wished_at <= last_wish(now):
        return None
    return f"it is wished for {wished_at:%Y-%m-%d %H:%M} UTC: a run takes it then"
