"""Choosing the frame that becomes a video's cover, while TikTok cannot have the video."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.cover import COVER, cover_violations
from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.post import UNKEYED, PostKind, PostMode, PostState
from reelflow.exceptions import IllegalTransitionError
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Post
from reelflow.ledger.unprepared import want_another_cover
from reelflow.services.workspace import Workspace

#: What TikTok may have has its cover. Before that, also before another try, a person may choose.
_CHOOSABLE: Final = UNKEYED | {PostState.READY, PostState.HELD}


def choose_cover(workspace: Workspace, post_id: int, *, actor: str, at_ms: int) -> Post:
    """Let the frame at a moment be the cover, on TikTok and as the thumbnail.

    :param at_ms: milliseconds from the video's start, such as of a candidate in `posts show`
    :raises IllegalTransitionError: TikTok may have the post, or takes no cover for it, or the video
        is not as long
    """
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        set_cover(session, post, now=workspace.ledger.now(), actor=actor, at_ms=at_ms)
    return post


def set_cover(session: Session, post: Post, *, now: datetime, actor: str, at_ms: int) -> None:
    """Choose a cover as :func:`choose_cover` does, in the caller's transaction.

    :param post: locked
    :raises IllegalTransitionError: as of :func:`choose_cover`
    """
    _check(post, at_ms)
    post.cover_timestamp_ms = at_ms
    want_another_cover(session, post)
    if post.state is PostState.HELD:
        told = post.media.violations or []
        post.media.violations = [one for one in told if one["rule"] != COVER] or None
    why = f"the cover is now the frame at {at_ms} ms, by hand"
    publications.give_up_unfinished(session, post.id, now=now, actor=actor, why=why)
    audit.record(session, post_id=post.id, at=now, actor=actor, why=why)


def _check(post: Post, at_ms: int) -> None:
    if post.state not in _CHOOSABLE:
        raise IllegalTransitionError(
            f"post {post.id} is {post.state}: a cover is chosen before TikTok may have it"
        )
    if post.kind is not PostKind.VIDEO:
        raise IllegalTransitionError(
            f'post {post.id} is of photos: the sidecar\'s "cover_index" says which is the cover'
        )
    if post.mode is PostMode.DRAFT:
        raise IllegalTransitionError(
            f"post {post.id} is a draft: its creator chooses the cover in TikTok's app"
        )
    facts = post.media.facts
    for broken in cover_violations(MediaFacts.from_dict(facts), at_ms) if facts else ():
        raise IllegalTransitionError(
            f"post {post.id} has no frame at {broken.value}: {broken.limit}"
        )
