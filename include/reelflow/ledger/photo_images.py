"""The files of a post in the ledger: one video, or the images of a photo post in their order."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from reelflow.ledger.models import Media, PhotoImage, Post


def add(session: Session, post_id: int, media_ids: Sequence[str]) -> None:
    """Write down the images of a new photo post, in their order."""
    session.add_all(
        PhotoImage(post_id=post_id, ordinal=ordinal, media_id=media_id)
        for ordinal, media_id in enumerate(media_ids)
    )
    session.flush()


def media_of(session: Session, post: Post) -> list[Media]:
    """Return what a post publishes: its images in their order, or its video alone."""
    images = session.scalars(
        select(PhotoImage).where(PhotoImage.post_id == post.id).order_by(PhotoImage.ordinal)
    )
    return [image.media for image in images] or [post.media]


def cover_of(session: Session, post: Post) -> Media:
    """Return the file whose picture stands for a post."""
    files = media_of(session, post)
    return files[min(post.photo_cover_index, len(files) - 1)]


def posts_with(session: Session, media_id: str) -> Sequence[Post]:
    """Return every post that publishes a file, alone or as one of its images."""
    ids = union(
        select(Post.id).where(Post.media_id == media_id),
        select(PhotoImage.post_id).where(PhotoImage.media_id == media_id),
    )
    return session.scalars(select(Post).where(Post.id.in_(ids)).order_by(Post.id)).all()


def posts_in_inbox(session: Session) -> Sequence[int]:
    """Return the ids of the posts some of whose files still lie in the inbox, oldest first."""
    waiting = select(Media.id).where(Media.moved_at.is_(None))
    ids = union(
        select(Post.id).where(Post.media_id.in_(waiting)),
        select(PhotoImage.post_id).where(PhotoImage.media_id.in_(waiting)),
    )
    return sorted(session.scalars(ids))
