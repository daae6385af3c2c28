"""Files that came in one request, whole: stored and given to a post together, or not at all.

A session is written before the first byte goes to the store, so that the sweep finds what a process
that dies leaves: the file that it stored, and what it reserved of its user's quota.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reelflow.domain.content_types import MediaType
from reelflow.domain.media_policy import MediaPolicy
from reelflow.domain.photos import INTAKE_PHOTOS
from reelflow.domain.upload_session import SessionState
from reelflow.domain.user import User
from reelflow.exceptions import IllegalTransitionError, ReelflowError
from reelflow.ledger import photo_images
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.rehearsal import rehearsed
from reelflow.services import quotas
from reelflow.services.uploads.endings import discard, end, end_with_file
from reelflow.services.uploads.first_look import FirstLook, look_at, refuse_broken
from reelflow.services.uploads.whole.rows import StoredFile, Taken, add_rows, new_session
from reelflow.services.uploads.whole.spool import Spool
from reelflow.services.uploads.wishes import PostWanted
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


def take_files(
    workspace: Workspace,
    user: User,
    received: Sequence[WholeFile],
    *,
    media_type: MediaType | None,
    wanted: PostWanted,
) -> Taken:
    """Store files and give them to a post, in their order; of what fails nothing is left.

    :param media_type: what they must be; None for whatever they are
    :param wanted: the post that they are for; of none if it names none
    :raises MediaRejectedError: one of them is not taken in (code ``not_this_media``)
    :raises QuotaExceededError: the user has not so much left today
    :raises StorageFullError: no room is left for them
    :raises ReelflowError: the post does not take them, as :mod:`reelflow.services.intake.submit`
        says
    """
    looks = [file.look(media_type, workspace.rules.house) for file in received]
    refuse_broken(looks)
    files = [_named(file, look) for file, look in zip(received, looks, strict=True)]
    workspace.folders.store.check_room(sum(file.spool.size_bytes for file in files))
    sessions = _begin(workspace, user, files, wanted)
    try:
        identities = [_store(workspace, file) for file in files]
        taken = _finish(workspace, user, files, wanted, identities)
    except BaseException:
        _undo(workspace, sessions)
        raise
    if not taken.is_new:
        _discard(workspace, sessions)
    return taken


def _named(file: WholeFile, look: FirstLook) -> StoredFile:
    media_id = uuid.uuid4().hex
    return StoredFile(media_id, media_key(media_id, look.extension), file.spool, look)


def _begin(
    workspace: Workspace, user: User, files: Sequence[StoredFile], wanted: PostWanted
) -> list[UploadSession]:
    """Reserve what the files take, once their post can be made as far as one can tell."""
    now = workspace.ledger.now()
    rows = [new_session(file, user, now=now) for file in files]
    total_bytes = sum(file.spool.size_bytes for file in files)
    with workspace.ledger.write() as session:
        with rehearsed(session):
            nowhere = [None] * len(files)
            add_rows(session, user, files, wanted, now=now, identities=nowhere)
        day = quotas.reserve(session, user.id, uploads=len(rows), size_bytes=total_bytes, now=now)
        for row in rows:
            row.quota_day = day
        session.add_all(rows)
    return rows


def _store(workspace: Workspace, file: StoredFile) -> str:
    """Store one file; return its identity."""
    info = workspace.folders.store.put(
        file.key,
        file.spool.content(),
        size_bytes=file.spool.size_bytes,
        sha256=file.spool.sha256,
        only_if_absent=True,
        content_type=file.look.content_type,
    )
    return info.identity


def _finish(
    workspace: Workspace,
    user: User,
    files: Sequence[StoredFile],
    wanted: PostWanted,
    identities: Sequence[str],
) -> Taken:
    """Write in one transaction all that the files become."""
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        taken = add_rows(session, user, files, wanted, now=now, identities=identities)
        if taken.is_new:
            for media in taken.media:
                end_with_file(session, media, taken.post, now=now)
            return taken
        assert taken.post is not None
        for media in taken.media:
            end(session, media.id, SessionState.CANCELLED, now=now)
        return Taken(photo_images.media_of(session, taken.post), taken.post, is_new=False)


def _undo(workspace: Workspace, sessions: Sequence[UploadSession]) -> None:
    """Give back what was reserved and delete what was stored; the sweep does what this cannot."""
    now = workspace.ledger.now()
    try:
        with workspace.ledger.write() as session:
            for row in sessions:
                end(session, row.id, SessionState.CANCELLED, now=now)
    except IllegalTransitionError:
        return  # the answer to a commit was lost: they are taken in
    except ReelflowError as exc:
        _log.warning("uploads are left to the sweep, from %s on: %s", sessions[0].id, exc)
        return
    _discard(workspace, sessions)


def _discard(workspace: Workspace, sessions: Sequence[UploadSession]) -> None:
    for row in sessions:
        try:
            discard(workspace, row)
        except ReelflowError as exc:
            _log.warning("what upload %s stored is left to the sweep: %s", row.id, exc)
