"""Uploaded files that no post publishes yet, and that nobody has looked into."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from reelflow.ledger.models import Media, PhotoImage, Post


def _without_post() -> ColumnElement[bool]:
    """Return the condition that no post publishes a file, alone or as one of its images."""
    return ~exists().where(Post.media_id == Media.id) & ~exists().where(
        PhotoImage.media_id == Media.id
    )


def unmeasured(session: Session, *, limit: int) -> Sequence[str]:
    """Return the ids of such files, the first that came first."""
    query = select(Media.id).where(*_is_unmeasured())
    return session.scalars(query.order_by(Media.created_at, Media.id).limit(limit)).all()


def get_unmeasured(session: Session, media_id: str, *, lock: bool = False) -> Media | None:
    """Return a file if it is one of :func:`unmeasured`.

    :param lock: hold its row until the transaction ends
    """
    query = select(Media).where(Media.id == media_id, *_is_unmeasured())
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def _is_unmeasured() -> Sequence[ColumnElement[bool]]:
    """Return the one condition for both: what waits and is not wanted would wait for ever."""
    return (
        Media.validated_at.is_(None),  # which has an index, of few rows
        Media.extracted_at.is_(None),
        Media.user_id.is_not(None),
        Media.deleted_at.is_(None),
        _without_post(),
    )
