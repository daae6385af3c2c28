"""Files that came in one request, whole: stored and given to a post together, or not at all.

A session is written before the first byte goes to the store, so that the sweep finds what a process
that dies leaves: the file that it stored, and what it reserved of its user's quota.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reelflow.domain.content_types import MediaType
from reelflow.domain.media_policy import MediaPolicy
from reelflow.domain.photos import INTAKE_PHOTOS
from reelflow.domain.upload_session import SESSION_LIFETIME, SessionKind, SessionState
from reelflow.domain.user import User
from reelflow.exceptions import ReelflowError
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Media, Post
from reelflow.services import quotas
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.submit import attach_media, create_post, new_media
from reelflow.services.uploads.first_look import FirstLook, look_at, refuse_broken
from reelflow.services.uploads.spool import Spool
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import media_key

_log = logging.getLogger(__name__)

#: A file of this size or more comes in chunks.
WHOLE_FILE_BYTES: Final = 50_000_000
#: Most images of one batch, and most bytes of each.
BATCH_IMAGES: Final = 10
BATCH_IMAGE_BYTES: Final = INTAKE_PHOTOS.max_size_bytes


@dataclass(frozen=True)
class WholeFile:
    """A file that was received to its end.

    :param file_name: as its sender calls it
    :param declared_type: its content type, as its sender says; may be empty
    """

    file_name: str
    declared_type: str
    spool: Spool

    def look(self, media_type: MediaType | None, house: MediaPolicy) -> FirstLook:
        """Return what can be seen of it at once."""
        return look_at(
            self.spool.head,
            size_bytes=self.spool.size_bytes,
            file_name=self.file_name,
            media_type=media_type,
            declared_type=self.declared_type,
            house=house,
        )


@dataclass(frozen=True)
class Destination:
    """Where files go; to no post, if it says nothing.

    :param post_id: the post that waits for them
    :param wish: the fields of a post to make of them
    """

    post_id: int | None = None
    wish: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Taken:
    """What became of files.

    :param media: their rows, in the order in which they came
    :param post: that they were given to
    """

    media: Sequence[Media]
    post: Post | None


@dataclass(frozen=True)
class _Upload:
    """One file on its way into the store; its session and its media row have the same id."""

    id: str
    key: str
    file: WholeFile
    look: FirstLook


def take_files(
    workspace: Workspace,
    user: User,
    files: Sequence[WholeFile],
    *,
    media_type: MediaType | None,
    destination: Destination,
) -> Taken:
    """Store files and give them to a post, in their order; of what fails nothing is left.

    :param media_type: what they must be; None for whatever they are
    :raises MediaRejectedError: one of them is not taken in (code ``not_this_media``)
    :raises QuotaExceededError: the user has not so much left today
    :raises StorageFullError: no room is left for them
    :raises ReelflowError: the post does not take them, as :mod:`reelflow.services.intake.submit`
        says
    """
    looks = [file.look(media_type, workspace.rules.house) for file in files]
    refuse_broken(looks)
    wish = None
    if destination.wish is not None:
        wish = PostWish.parse(dict(destination.wish), looks[0].media_type)
    uploads = [_upload(file, look) for file, look in zip(files, looks, strict=True)]
    _begin(workspace, user, uploads)
    try:
        identities = [_store(workspace, upload) for upload in uploads]
        return _finish(workspace, user, uploads, identities, destination.post_id, wish)
    except BaseException:
        _undo(workspace, uploads)
        raise


def _upload(file: WholeFile, look: FirstLook) -> _Upload:
    media_id = uuid.uuid4().hex
    return _Upload(media_id, media_key(media_id, look.extension), file, look)


def _begin(workspace: Workspace, user: User, uploads: Sequence[_Upload]) -> None:
    now = workspace.ledger.now()
    total_bytes = sum(upload.file.spool.size_bytes for upload in uploads)
    with workspace.ledger.write() as session:
        day = quotas.reserve(
            session, user.id, uploads=len(uploads), size_bytes=total_bytes, now=now
        )
        session.add_all(
            UploadSession(
                id=upload.id,
                kind=SessionKind.WHOLE,
                state=SessionState.FINISHING,
                state_since=now,
                user_id=user.id,
                file_name=upload.look.file_name,
                content_type=upload.look.content_type,
                media_type=upload.look.media_type,
                size_bytes=upload.file.spool.size_bytes,
                storage_key=upload.key,
                quota_day=day,
                reserved_uploads=1,
                reserved_bytes=upload.file.spool.size_bytes,
                created_at=now,
                last_chunk_at=now,
                expires_at=now + SESSION_LIFETIME,
            )
            for upload in uploads
        )


def _store(workspace: Workspace, upload: _Upload) -> str:
    """Store one file; return its identity."""
    spool = upload.file.spool
    info = workspace.folders.store.put(
        upload.key,
        spool.content(),
        size_bytes=spool.size_bytes,
        sha256=spool.sha256,
        only_if_absent=True,
        content_type=upload.look.content_type,
    )
    return info.identity


def _finish(
    workspace: Workspace,
    user: User,
    uploads: Sequence[_Upload],
    identities: Sequence[str],
    post_id: int | None,
    wish: PostWish | None,
) -> Taken:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        media = []
        for upload, identity in zip(uploads, identities, strict=True):
            row = upload_sessions.move(session, upload.id, SessionState.FINISHED, now=now)
            assert row is not None
            assert row.quota_day is not None
            file = new_media(
                session,
                media_id=upload.id,
                user=user,
                file_name=upload.look.file_name,
                key=upload.key,
                identity=identity,
                size_bytes=upload.file.spool.size_bytes,
                declared_sha256=None,
                now=now,
            )
            file.sha256 = upload.file.spool.sha256
            session.flush()
            row.media_id = file.id
            quotas.take(
                session,
                user.id,
                row.quota_day,
                uploads=row.reserved_uploads,
                reserved_bytes=row.reserved_bytes,
                taken_bytes=file.size_bytes,
            )
            media.append(file)
        post = None
        if post_id is not None:
            post = attach_media(
                session, user=user, post_id=post_id, media=media, now=now, actor=user.actor
            )
        elif wish is not None:
            post = create_post(
                session, user=user, wish=wish, media=media, now=now, actor=user.actor
            ).post
        return Taken(media, post)


def _undo(workspace: Workspace, uploads: Sequence[_Upload]) -> None:
    """Delete what was stored, end the sessions and give back what they reserved.

    What stands in the way of that is logged: the sweep does the rest.
    """
    try:
        if not _are_under_way(workspace, uploads):
            return
        for upload in uploads:
            workspace.folders.store.delete(upload.key)
        _cancel(workspace, uploads)
    except ReelflowError as exc:
        ids = ", ".join(upload.id for upload in uploads)
        _log.warning("what is left of the uploads %s is left to the sweep: %s", ids, exc)


def _are_under_way(workspace: Workspace, uploads: Sequence[_Upload]) -> bool:
    """Whether the rows were not written after all: the answer to a commit may have been lost."""
    with workspace.ledger.write() as session:
        rows = [upload_sessions.get(session, upload.id, lock=True) for upload in uploads]
        return all(row is not None and row.state is SessionState.FINISHING for row in rows)


def _cancel(workspace: Workspace, uploads: Sequence[_Upload]) -> None:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        for upload in uploads:
            row = upload_sessions.move(session, upload.id, SessionState.CANCELLED, now=now)
            assert row is not None
            assert row.quota_day is not None
            quotas.give_back(
                session,
                row.user_id,
                row.quota_day,
                uploads=row.reserved_uploads,
                size_bytes=row.reserved_bytes,
            )
