"""The media that posts through the API are made of: whose they are, and whether they are there."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from reelflow.domain.content_types import MediaType, container_named, media_type_of
from reelflow.domain.ids import is_id
from reelflow.domain.photos import MAX_PHOTOS, photo_post_sha256
from reelflow.domain.post import DONE, PostKind
from reelflow.domain.user import User
from reelflow.exceptions import TerminalError
from reelflow.ledger import upload_sessions
from reelflow.ledger.models import Media, PhotoImage, Post
from reelflow.services.intake.house_policy import FORM_ORIGIN
from reelflow.services.intake.post_wish import invalid_post

#: What stands for the name of a file that is still to come.
AWAITED_NAME: Final = "(no media yet)"
_UPLOAD_ORIGIN: Final = "upload:"
_NOWHERE: Final = "none"


def new_media(
    session: Session,
    *,
    media_id: str,
    user: User,
    file_name: str,
    key: str,
    identity: str | None,
    size_bytes: int,
    declared_sha256: str | None,
    now: datetime,
    by_form: bool = False,
) -> Media:
    """Write down a file that was uploaded; it never was in the inbox.

    :param file_name: as its sender calls it, cleaned: data only
    :param key: where it lies
    :param identity: which content lies there
    :param declared_sha256: what its sender says it has, compared once it is validated
    :param by_form: whether its sender put it into the bucket, by a form that we signed
    """
    media = Media(
        id=media_id,
        user_id=user.id,
        file_name=file_name,
        inbox_path=f"{FORM_ORIGIN if by_form else _UPLOAD_ORIGIN}{media_id}",
        inbox_identity=_NOWHERE,
        source_path=key,
        source_identity=identity,
        moved_at=now,
        size_bytes=size_bytes,
        declared_sha256=declared_sha256,
        created_at=now,
    )
    session.add(media)
    session.flush()
    return media


def awaited_media(user: User, *, now: datetime) -> Media:
    """Return a row that stands for media which an upload is still to bring; no file lies there."""
    media_id = uuid.uuid4().hex
    return Media(
        id=media_id,
        user_id=user.id,
        file_name=AWAITED_NAME,
        inbox_path=f"awaited:{media_id}",
        inbox_identity=_NOWHERE,
        source_path=f"media/{media_id}",
        moved_at=now,
        size_bytes=0,
        awaited=True,
        created_at=now,
    )


def media_of_user(session: Session, user: User, media_ids: Sequence[str]) -> list[Media]:
    """Return a user's media by their ids, in that order.

    :raises TerminalError: one of them is not there, not yet, or somebody else's (code
        ``media_not_found``), or they are too many for a post (code ``invalid_post``)
    """
    if len(media_ids) > MAX_PHOTOS:
        raise invalid_post(f"it has {len(media_ids)} media, and a post has at most {MAX_PHOTOS}")
    possible = [media_id for media_id in media_ids if is_id(media_id)]
    unfinished = upload_sessions.going_on(session, possible)
    found = {
        media.id: media
        for media in session.scalars(select(Media).where(Media.id.in_(possible)))
        if user.owns(media.user_id) and not media.awaited and media.id not in unfinished
    }
    for media_id in media_ids:
        if media_id not in found:
            raise not_found(media_id)
    return [found[media_id] for media_id in media_ids]


def not_found(media_id: str) -> TerminalError:
    """Return the error of media that the user does not have."""
    return TerminalError(f"no media of yours has the id {media_id[:40]!r}", code="media_not_found")


def hold_media(session: Session, post: Post, media: Sequence[Media]) -> None:
    """Check that a post can be of these media, and keep them from being deleted meanwhile.

    Their rows, and those of the posts on them, are held until the transaction ends.

    :param post: as it is to be
    :param media: whose they are was checked before
    :raises TerminalError: they cannot; codes ``invalid_post``, and ``media_deleted`` of what was,
        or is about to be
    """
    _check_together(post, media)
    for media_id in sorted(one.id for one in media):
        states = _states_of_posts_on(session, media_id)
        row = session.get_one(Media, media_id, with_for_update=True, populate_existing=True)
        if row.deleted_at is not None or (states and DONE.issuperset(states)):
            raise TerminalError(
                f"the file {row.file_name} ({media_id}) is deleted, as every file is once all its "
                "posts are published: upload it again",
                code="media_deleted",
                media_id=media_id,
            )


def _check_together(post: Post, media: Sequence[Media]) -> None:
    """Check that media can be one post, by what they are called, and how many they are."""
    for one in media:
        if kind_of(one) is not post.kind:
            what = "a photo" if kind_of(one) is PostKind.PHOTO else "a video"
            raise invalid_post(
                f"{one.file_name} ({one.id}) is {what}, and it is to be a {post.kind}: a post has "
                f"one video, or 1 to {MAX_PHOTOS} photos"
            )
    most = MAX_PHOTOS if post.kind is PostKind.PHOTO else 1
    if len(media) > most:
        raise invalid_post(f"it has {len(media)} media, and a {post.kind} has at most {most}")
    if len({one.id for one in media}) < len(media):
        raise invalid_post("it has one of its media twice")
    if media and post.kind is PostKind.PHOTO and post.photo_cover_index >= len(media):
        raise invalid_post(
            f"cover_index is {post.photo_cover_index}, but it has {len(media)} photos, the first "
            "of which is number 0"
        )


def kind_of(media: Media) -> PostKind:
    """Return what may become of a file: by its content where that is known, else by its name."""
    container = (media.facts or {}).get("container") or container_named(media.source_path)
    container = container or container_named(media.file_name) or ""
    return PostKind.PHOTO if media_type_of(container) is MediaType.IMAGE else PostKind.VIDEO


def known_content(
    kind: PostKind, media: Sequence[Media], *, is_sender_believed: bool = True
) -> str | None:
    """Return what identifies the content of media, as far as their sender tells or it was read.

    :param is_sender_believed: False: it must have been read
    :return: None where it is not known before they are validated
    """
    hashes = [one.sha256 or (one.declared_sha256 if is_sender_believed else None) for one in media]
    if not hashes or None in hashes:
        return None
    told = [one for one in hashes if one is not None]
    return photo_post_sha256(told) if kind is PostKind.PHOTO else told[0]


def _states_of_posts_on(session: Session, media_id: str) -> set[str]:
    """Return the states of all posts on a file; none of them changes until the transaction ends."""
    ids = union(
        select(Post.id).where(Post.media_id == media_id),
        select(PhotoImage.post_id).where(PhotoImage.media_id == media_id),
    )
    query = select(Post.state).where(Post.id.in_(ids)).order_by(Post.id)
    return set(session.scalars(query.with_for_update(read=True)))
