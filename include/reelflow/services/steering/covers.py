"""Choosing the frame that becomes a video's cover, while TikTok does not have the video."""

from __future__ import annotations

from typing import Final

from reelflow.domain.post import PostKind, PostMode, PostState
from reelflow.exceptions import IllegalTransitionError
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Post
from reelflow.services.workspace import Workspace

#: What was opened at TikTok has its cover; before that a person may choose.
_CHOOSABLE: Final = frozenset({PostState.READY, PostState.HELD})


def choose_cover(workspace: Workspace, post_id: int, *, actor: str, at_ms: int) -> Post:
    """Let the frame at a moment be the cover, on TikTok and as the thumbnail.

    :param at_ms: milliseconds from the video's start, such as of a candidate in `posts show`
    :raises IllegalTransitionError: TikTok may have the post, or takes no cover for it, or the video
        is not as long
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        _check(post, at_ms)
        post.cover_timestamp_ms = at_ms
        post.media.thumbnail_path = None  # made again by the next run
        why = f"the cover is now the frame at {at_ms} ms, by hand"
        publications.give_up_unfinished(session, post_id, now=now, actor=actor, why=why)
        audit.record(session, post_id=post_id, at=now, actor=actor, why=why)
    return post


def _check(post: Post, at_ms: int) -> None:
    if post.state not in _CHOOSABLE:
        raise IllegalTransitionError(
            f"post {post.id} is {post.state}: a cover is chosen while it is READY or HELD"
        )
    if post.kind is not PostKind.VIDEO:
        raise IllegalTransitionError(
            f'post {post.id} is of photos: the sidecar\'s "cover_index" says which is the cover'
        )
    if post.mode is PostMode.DRAFT:
        raise IllegalTransitionError(
            f"post {post.id} is a draft: its creator chooses the cover in TikTok's app"
        )
    duration_s = post.media.duration_s or (post.media.facts or {}).get("duration_s")
    if duration_s is not None and at_ms > duration_s * 1000:
        raise IllegalTransitionError(
            f"post {post.id} has no frame at {at_ms} ms: its video ends at "
            f"{round(duration_s * 1000)} ms"
        )
