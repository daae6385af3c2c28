"""The content key: the same bytes go to an account once, unless a repost was asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.post import UNKEYED, PostMode, PostState
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Post
from reelflow.ledger.unprepared import want_another_cover
from reelflow.services.intake.waiting import go_or_wait
from reelflow.services.publishing.preflight import (
    INTERACTION_OFF,
    NO_PRIVACY,
    PRIVACY_NOT_OFFERED,
    PRIVATE_BRANDED_CONTENT,
    TEXT_TOO_LONG,
)

#: Reasons for which a post is HELD that other fields can settle.
_SOLVED_BY_FIELDS: Final = frozenset(
    {NO_PRIVACY, PRIVACY_NOT_OFFERED, PRIVATE_BRANDED_CONTENT, INTERACTION_OFF, TEXT_TOO_LONG}
)
#: What a held post takes over when the same bytes come again.
_TAKEN_OVER: Final = (
    "title",
    "caption",
    "privacy_level",
    "mode",
    "disable_comment",
    "wanted_interactions",
    "disable_duet",
    "disable_stitch",
    "brand_content_toggle",
    "brand_organic_toggle",
    "is_aigc",
    "cover_timestamp_ms",
    "auto_add_music",
    "photo_cover_index",
    "publish_at",
    "due_at",
)


def give_key(
    session: Session, post: Post, sha256: str, *, now: datetime, actor: str
) -> Post | None:
    """Give a post the key of its content, or cancel it when another post has that.

    One that ended while its content was hashed, as when a person cancelled it, ended for that
    reason: whether its key is another's by then is looked at when it is to go on.

    :param sha256: of a video, or of all images of a photo post in their order
    :return: the other post
    """
    if post.sha256 == sha256:
        return None
    twins = posts.with_content(session, account_id=post.account_id, sha256=sha256, but_not=post.id)
    if twins and not post.repost and post.state not in UNKEYED:
        # Locked and read again: one that was released meanwhile may be uploaded already.
        twin = posts.get(session, twins[0].id, lock=True)
        if twin.state is PostState.HELD and twin.user_id == post.user_id:
            why = f"the same bytes came again as post {post.id}, and it takes over what that wishes"
            take_over(session, post, twin, now=now, actor=actor, why=why)
        cancel_duplicate(session, post, twin, now=now, actor=actor)
        return twin
    if post.repost:
        post.slot = posts.next_slot(session, account_id=post.account_id, sha256=sha256)
    post.sha256 = sha256
    session.flush()
    return None


def take_over(
    session: Session, post: Post, twin: Post, *, now: datetime, actor: str, why: str
) -> None:
    """Give a HELD post what the newcomer of the same bytes wishes, and let it go if that helps.

    :param post: the newcomer, which may be no row of its own
    :param twin: locked by the caller's transaction
    """
    if _cover_of(twin) != _cover_of(post):
        want_another_cover(session, twin)
    for field in _TAKEN_OVER:
        setattr(twin, field, getattr(post, field))
    twin.wants_approval = twin.wants_approval or post.wants_approval
    twin.approved_at = None  # nobody approved what it wishes now
    complete = twin.privacy_level is not None or twin.mode is PostMode.DRAFT
    # What was opened at TikTok has the old wishes: to go on with it would publish by those.
    publications.give_up_unfinished(session, twin.id, now=now, actor=actor, why=why)
    if twin.reason_code in _SOLVED_BY_FIELDS and complete:
        go_or_wait(session, twin, now=now, actor=actor, why=why)
    else:
        audit.record(session, post_id=twin.id, at=now, actor=actor, why=why)


def _cover_of(post: Post) -> tuple[int | None, int]:
    """Return the moment or image that TikTok will show."""
    return post.cover_timestamp_ms, post.photo_cover_index


def cancel_duplicate(
    session: Session, post: Post, twin: Post, *, now: datetime, actor: str
) -> None:
    """Cancel a post whose bytes are another post of the account already."""
    posts.move(
        session,
        post.id,
        PostState.CANCELLED,
        now=now,
        actor=actor,
        why=f"duplicate of {told_of(twin, to=post)}",
        code="duplicate",
        fix='to post the same bytes once more, ask for it with "repost": true',
    )


def told_of(twin: Post, *, to: Post) -> str:
    """Name a post to whoever reads another one's story: only its own user learns its id."""
    return f"post {twin.id}" if twin.user_id == to.user_id else "another post of this account"
