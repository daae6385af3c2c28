"""The post that an upload is for: rehearsed before bytes come, made or given its file after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from reelflow.domain.content_types import MediaType
from reelflow.domain.user import Scope, User
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Media
from reelflow.ledger.rehearsal import rehearsed
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.submit import Submitted, attach_media, create_post, new_media


@dataclass(frozen=True)
class PostWanted:
    """Which post a file is for; false if it is for none.

    :param post_id: the one that waits for it
    :param post: the fields of the one to make
    """

    post_id: int | None = None
    post: Mapping[str, Any] | None = None

    def __bool__(self) -> bool:
        return self.post_id is not None or self.post is not None


def wanted_of(row: UploadSession) -> PostWanted:
    """Return which post a session's file is for, as far as was said."""
    return PostWanted(None, row.wish) if row.wish is not None else PostWanted(row.post_id)


def owner_of(row: UploadSession) -> User:
    """Return the user that a session belongs to, for what is done in that user's name."""
    return User(row.user_id, row.user_id, frozenset({Scope.WRITE}))


def add_media(
    session: Session,
    row: UploadSession,
    *,
    user: User,
    now: datetime,
    file_name: str | None = None,
    identity: str | None = None,
) -> Media:
    """Add the row of a session's file, which has the session's id.

    :param file_name: what people call it; as announced when left out
    :param identity: which content lies under its key
    """
    assert row.storage_key is not None
    assert row.size_bytes is not None
    return new_media(
        session,
        media_id=row.id,
        user=user,
        file_name=file_name or row.file_name,
        key=row.storage_key,
        identity=identity,
        size_bytes=row.size_bytes,
        declared_sha256=row.sha256,
        now=now,
    )


def give_to_post(
    session: Session,
    row: UploadSession,
    media: Media,
    wanted: PostWanted,
    *,
    user: User,
    now: datetime,
    actor: str,
) -> Submitted | None:
    """Make the post that is wanted of a file, or give the file to the one that waits.

    :return: None when none is wanted
    :raises ReelflowError: the post cannot be made, or does not wait; nothing is committed
    """
    if wanted.post is not None:
        wish = PostWish.parse(wanted.post, MediaType(row.media_type))
        return create_post(session, user=user, wish=wish, media=[media], now=now, actor=actor)
    if wanted.post_id is not None:
        post = attach_media(
            session, user=user, post_id=wanted.post_id, media=[media], now=now, actor=actor
        )
        return Submitted(post, created=True)
    return None


def rehearse(
    session: Session, row: UploadSession, wanted: PostWanted, *, user: User, now: datetime
) -> None:
    """Do all that the end of an upload would do to posts, and take it back.

    So a wish that cannot be granted is refused while its sender can still mend it.

    :param row: as the session is, or will be
    :raises ReelflowError: as :func:`give_to_post`
    """
    if not wanted:
        return
    with rehearsed(session):
        media = add_media(session, row, user=user, now=now)
        give_to_post(session, row, media, wanted, user=user, now=now, actor=user.actor)
