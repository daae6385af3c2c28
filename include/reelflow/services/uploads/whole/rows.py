"""The rows that whole files become: media, and the post that is made of them or waited for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from reelflow.domain.upload_session import SESSION_LIFETIME, SessionKind, SessionState
from reelflow.domain.user import User
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Media, Post
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.submit import attach_media, create_post, new_media
from reelflow.services.uploads.first_look import FirstLook
from reelflow.services.uploads.whole.spool import Spool
from reelflow.services.uploads.wishes import PostWanted


@dataclass(frozen=True)
class StoredFile:
    """One file on its way into the store.

    :param id: of its session and of its media row
    :param key: where it is to lie
    """

    id: str
    key: str
    spool: Spool
    look: FirstLook


@dataclass(frozen=True)
class Taken:
    """What became of files.

    :param media: their rows, in the order in which they came
    :param post: that they were given to
    :param is_new: False if the post was made of the same bytes before: then its media are given,
        and these files were not kept
    """

    media: Sequence[Media]
    post: Post | None = None
    is_new: bool = True


def new_session(file: StoredFile, user: User, *, now: datetime) -> UploadSession:
    """Return the session of a file that is here and goes to the store now; it reserves its size."""
    return UploadSession(
        id=file.id,
        kind=SessionKind.WHOLE,
        state=SessionState.FINISHING,
        state_since=now,
        user_id=user.id,
        file_name=file.look.file_name,
        content_type=file.look.content_type,
        media_type=file.look.media_type,
        size_bytes=file.spool.size_bytes,
        storage_key=file.key,
        reserved_uploads=1,
        reserved_bytes=file.spool.size_bytes,
        created_at=now,
        last_chunk_at=now,
        expires_at=now + SESSION_LIFETIME,
    )


def add_rows(
    session: Session,
    user: User,
    files: Sequence[StoredFile],
    wanted: PostWanted,
    *,
    now: datetime,
    identities: Sequence[str | None],
) -> Taken:
    """Add the media rows of files, and give them to the post that is wanted; commits nothing.

    :param identities: of the files in the store, in their order; None where they are not there yet
    :raises ReelflowError: the post does not take them, as :mod:`reelflow.services.intake.submit`
        says
    """
    media = [
        _add_media(session, user, file, identity=identity, now=now)
        for file, identity in zip(files, identities, strict=True)
    ]
    if wanted.post_id is not None:
        post = attach_media(
            session, user=user, post_id=wanted.post_id, media=media, now=now, actor=user.actor
        )
        return Taken(media, post)
    if wanted.post is None:
        return Taken(media)
    wish = PostWish.parse(wanted.post, files[0].look.media_type)
    made = create_post(session, user=user, wish=wish, media=media, now=now, actor=user.actor)
    return Taken(media, made.post, made.created)


def _add_media(
    session: Session, user: User, file: StoredFile, *, identity: str | None, now: datetime
) -> Media:
    media = new_media(
        session,
        media_id=file.id,
        user=user,
        file_name=file.look.file_name,
        key=file.key,
        identity=identity,
        size_bytes=file.spool.size_bytes,
        declared_sha256=None,
        now=now,
    )
    media.sha256 = file.spool.sha256
    session.flush()
    return media
