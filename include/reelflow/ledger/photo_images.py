"""The files of a post in the ledger: one video, or the images of a photo post in their order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import String, func, select, type_coerce, union
from sqlalchemy.orm import Session

from reelflow.domain.analysis import AnalysisPolicy
from reelflow.domain.post import PostKind, PostState
from reelflow.ledger import damage
from reelflow.ledger.models import Account, Media, PhotoImage, Post


def add(session: Session, post_id: int, media_ids: Sequence[str]) -> None:
    """Write down the images of a new photo post, in their order."""
    session.add_all(
        PhotoImage(post_id=post_id, ordinal=ordinal, media_id=media_id)
        for ordinal, media_id in enumerate(media_ids)
    )
    session.flush()


def media_of(session: Session, post: Post) -> list[Media]:
    """Return what a post publishes: its images in their order, or its video alone.

    :raises ConfigurationError: somebody changed their rows by hand; code ``ledger_damaged``
    """
    if post.kind is PostKind.VIDEO:
        return [post.media]
    query = select(PhotoImage).where(PhotoImage.post_id == post.id)
    try:
        images = session.scalars(query.order_by(PhotoImage.ordinal)).all()
    except damage.UNREADABLE as exc:
        damage.raise_named(session, post.id, exc)
    return [image.media for image in images] or [post.media]


def of_posts(session: Session, posts: Sequence[Post]) -> dict[int, list[Media]]:
    """Return the images of those posts that have some, in their order, by the id of the post."""
    images: dict[int, list[Media]] = {}
    ids = [post.id for post in posts if post.kind is PostKind.PHOTO]
    found = select(PhotoImage).where(PhotoImage.post_id.in_(ids))
    for image in session.scalars(found.order_by(PhotoImage.post_id, PhotoImage.ordinal)):
        images.setdefault(image.post_id, []).append(image.media)
    return images


def name_of(post: Post) -> str:
    """Return what people call a post: the name of its file, or of its folder of images."""
    return _name(post.kind, post.media.file_name)


def names_of(session: Session, post_ids: Collection[int]) -> dict[int, str]:
    """Return what people call posts, by their ids; also those that cannot be read."""
    query = select(Post.id, type_coerce(Post.kind, String()), Media.file_name)
    query = query.join(Media, Media.id == Post.media_id).where(Post.id.in_(post_ids))
    return {post_id: _name(kind, file_name) for post_id, kind, file_name in session.execute(query)}


class Outline(NamedTuple):
    """A post in a few words.

    :param name: what people call it
    :param size_bytes: of its video; None of photos, which are many files
    :param is_analysed: whether its account has its media analysed
    """

    name: str
    size_bytes: int | None
    is_analysed: bool


def outline_of(session: Session, post_id: int) -> Outline | None:
    """Return what there is to say of a post, also of one that cannot be read."""
    query = (
        select(
            type_coerce(Post.kind, String()),
            Media.file_name,
            Media.size_bytes,
            type_coerce(Account.analysis_policy, String()),
        )
        .join(Media, Media.id == Post.media_id)
        .join(Account, Account.id == Post.account_id)
        .where(Post.id == post_id)
    )
    row = session.execute(query).first()
    if row is None:
        return None
    kind, file_name, size_bytes, policy = row
    return Outline(
        _name(kind, file_name),
        None if kind == PostKind.PHOTO else size_bytes,
        policy != AnalysisPolicy.IGNORE,
    )


def _name(kind: str, file_name: str) -> str:
    return file_name.rpartition("/")[0] or file_name if kind == PostKind.PHOTO else file_name


def cover_of(session: Session, post: Post) -> Media:
    """Return the file whose picture stands for a post."""
    return cover_among(post, media_of(session, post))


def cover_among(post: Post, files: Sequence[Media]) -> Media:
    """Return which of a post's files stands for it with its picture."""
    return files[min(post.photo_cover_index, len(files) - 1)]


def states_with(session: Session, media_id: str) -> dict[int, str]:
    """Return the state of every post that publishes a file, alone or as one of its images.

    :return: by the posts' ids, as they are stored: maybe none that there is
    """
    ids = union(
        select(Post.id).where(Post.media_id == media_id),
        select(PhotoImage.post_id).where(PhotoImage.media_id == media_id),
    )
    query = select(Post.id, type_coerce(Post.state, String())).where(Post.id.in_(ids))
    return dict(session.execute(query.order_by(Post.id)).all())


def count_unsent_posts(session: Session) -> int:
    """Return how many photo posts may yet be published."""
    unsent = (PostState.HELD, PostState.READY, PostState.UPLOADING, PostState.MISSED)
    counted = select(func.count()).where(Post.state.in_(unsent), Post.kind == PostKind.PHOTO)
    return session.scalar(counted) or 0


def posts_in_inbox(session: Session) -> Sequence[int]:
    """Return the ids of the posts some of whose files still lie in the inbox, oldest first."""
    waiting = select(Media.id).where(Media.moved_at.is_(None))
    ids = union(
        select(Post.id).where(Post.media_id.in_(waiting)),
        select(PhotoImage.post_id).where(PhotoImage.media_id.in_(waiting)),
    )
    return sorted(session.scalars(ids))
