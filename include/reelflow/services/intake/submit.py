"""Making posts for users: of their media, or before these are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from reelflow.domain.post import UNKEYED, PostKind, PostState
from reelflow.domain.user import User
from reelflow.exceptions import IllegalTransitionError, TerminalError
from reelflow.ledger import accounts, audit, photo_images, posts
from reelflow.ledger.models import Account, Media, Post
from reelflow.ledger.unprepared import want_another_cover
from reelflow.services.intake.duplicates import take_over
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.submitted_media import (
    awaited_media,
    hold_media,
    known_content,
    media_of_user,
    new_media,
)
from reelflow.services.intake.waiting import find_wait, go_or_wait

__all__ = ["Submitted", "attach_media", "create_post", "find_post", "media_of_user", "new_media"]

#: What posts of either kind have that are not of the kind whose wish it is.
_OF_NO_KIND: Final = {"title": None, "auto_add_music": False, "photo_cover_index": 0}


@dataclass(frozen=True)
class Submitted:
    """What became of a wish.

    :param post: the new one, or the one that these bytes are on this account already
    """

    post: Post
    created: bool


def create_post(
    session: Session,
    *,
    user: User,
    wish: PostWish,
    media: Sequence[Media],
    now: datetime,
    actor: str,
) -> Submitted:
    """Make a post, or find the one that the same bytes are already.

    One without media is HELD until an upload names it. Of bytes that were given before, a HELD
    post takes over what is wished now. Flushed, not committed.

    :param media: the user's, new or from :func:`media_of_user`: one video, photos in their order,
        or none yet
    :raises AccountNotFoundError: no account has this name
    :raises TerminalError: it cannot be a post of these media (codes ``invalid_post`` and
        ``media_deleted``), or another user's post has these bytes (code ``duplicate``)
    """
    account = accounts.by_name(session, wish.account)
    files = list(media) or [awaited_media(user, now=now)]
    post = _post_of(account, files[0], user, wish, now=now)
    hold_media(session, post, media)
    twin = None if wish.fields.repost else _twin(session, post, media)
    if twin is not None:
        return Submitted(_again(session, user, post, twin, now=now, actor=actor), created=False)
    session.add(post)
    session.flush()
    if media and post.kind is PostKind.PHOTO:
        photo_images.add(session, post.id, [one.id for one in media])
    if media and post.cover_timestamp_ms is not None:
        want_another_cover(session, post)
    _start(session, post, now=now, actor=actor)
    return Submitted(post, created=True)


def attach_media(
    session: Session,
    *,
    user: User,
    post_id: int,
    media: Sequence[Media],
    now: datetime,
    actor: str,
) -> Post:
    """Give a post the media that it waited for; it goes then, unless it waits for something else.

    The same media again change nothing. Flushed, not committed.

    :raises PostNotFoundError: there is no such post, or it is somebody else's
    :raises IllegalTransitionError: it waits for no media
    :raises TerminalError: these cannot be its media, as of :func:`create_post`
    """
    post = find_post(session, user, post_id, lock=True)
    if [one.id for one in photo_images.media_of(session, post)] == [one.id for one in media]:
        return post
    if not post.media.awaited or post.state is not PostState.HELD:
        has = f"is {post.state}" if post.media.awaited else "has its media already"
        raise IllegalTransitionError(
            f"post {post_id} {has}: to publish other media, make another post of them",
            post_id=post_id,
        )
    hold_media(session, post, media)
    awaited, post.media = post.media, media[0]
    session.flush()
    session.delete(awaited)
    if post.kind is PostKind.PHOTO:
        photo_images.add(session, post.id, [one.id for one in media])
    if post.cover_timestamp_ms is not None:
        want_another_cover(session, post)
    post.due_at = max(post.publish_at or now, now)
    go_or_wait(session, post, now=now, actor=actor, why=f"its media came: {_told(media)}")
    session.flush()
    return post


def find_post(session: Session, user: User, post_id: int, *, lock: bool = False) -> Post:
    """Return a post that the user may see.

    :param lock: hold its row until the transaction ends
    :raises PostNotFoundError: there is none; somebody else's is told of as if it were none
    """
    post = posts.get(session, post_id, lock=lock)
    if not user.owns(post.user_id):
        raise posts.not_found(post_id)
    return post


def _post_of(account: Account, media: Media, user: User, wish: PostWish, *, now: datetime) -> Post:
    """Return a post as it would be READY; it is not in the session yet."""
    return Post(
        account=account,
        media=media,
        user_id=user.id,
        kind=wish.kind,
        state=PostState.READY,
        state_since=now,
        reason=f"made by {user.known_as}",
        due_at=wish.fields.publish_at or now,
        created_at=now,
        **{**_OF_NO_KIND, **wish.fields.columns(), "wants_approval": wish.approval},
    )


def _start(session: Session, post: Post, *, now: datetime, actor: str) -> None:
    """Let a new post begin where it belongs, and say so in its story."""
    made = post.reason
    wait = find_wait(post)
    if wait is not None:
        post.state = PostState.HELD
        post.reason, post.reason_code, post.fix = wait.why, wait.code, wait.fix
    why = made if wait is None else f"{made}; {wait.why}"
    audit.record(session, post_id=post.id, at=now, actor=actor, to_state=post.state, why=why)
    session.flush()


def _twin(session: Session, post: Post, media: Sequence[Media]) -> Post | None:
    """Return the post that these bytes are on this account already, as far as that is known."""
    if not media:
        return None
    content = known_content(post.kind, media)
    if content is not None:
        known = posts.with_content(session, account_id=post.account.id, sha256=content, but_not=0)
        if known:
            return known[0]
    candidates = _unvalidated(session, post, media[0])
    images = photo_images.of_posts(session, candidates)
    for one in candidates:
        files = images.get(one.id) or [one.media]
        is_of_these = [file.id for file in files] == [file.id for file in media]
        # What somebody only says of a file must not keep others from posting theirs.
        is_own = one.user_id == post.user_id
        its_content = known_content(post.kind, files, is_sender_believed=is_own)
        if is_of_these or (content is not None and its_content == content):
            return one
    return None


def _unvalidated(session: Session, post: Post, first: Media) -> Sequence[Post]:
    """Return the posts that begin with a file, or its like, and whose content nobody has read."""
    is_like = [Media.id == first.id]
    sha256 = first.sha256 or first.declared_sha256
    if sha256 is not None:
        is_like += [Media.sha256 == sha256, Media.declared_sha256 == sha256]
    return session.scalars(
        select(Post)
        .join(Media, Media.id == Post.media_id)
        .where(
            Post.account_id == post.account.id,
            Post.sha256.is_(None),
            Post.state.not_in(UNKEYED),
            Post.kind == post.kind,
            or_(*is_like),
        )
        .order_by(Post.id)
    ).all()


def _again(
    session: Session, user: User, newcomer: Post, twin: Post, *, now: datetime, actor: str
) -> Post:
    """Return the post that the same bytes are already, with what is wished now if it is HELD.

    :raises TerminalError: it is another user's; code ``duplicate``
    """
    if not user.owns(twin.user_id):
        raise TerminalError(
            f"the same bytes are another post on {newcomer.account.name} already, which is not "
            'yours: to publish them once more, ask for it with "repost": true',
            code="duplicate",
        )
    twin = posts.get(session, twin.id, lock=True)  # it may have been released meanwhile
    if twin.state is PostState.HELD:
        why = "the same bytes came again, and it takes over what is wished now"
        take_over(session, newcomer, twin, now=now, actor=actor, why=why)
    return twin


def _told(media: Sequence[Media]) -> str:
    more = f" and {len(media) - 1} more" if len(media) > 1 else ""
    return f"{media[0].file_name}{more}"
