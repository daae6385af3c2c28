"""Opening an upload session: all that can be refused is refused before the first byte comes.

The row is committed before storage begins anything, and names where that will lie; it is given up
before storage drops anything. So whatever a crash leaves behind, a row tells the sweep of it.
"""

from __future__ import annotations

import uuid
from contextlib import suppress

from reelflow.domain.file_name import clean_file_name
from reelflow.domain.upload_session import (
    SESSION_LIFETIME,
    SessionKind,
    SessionState,
    plan_upload,
)
from reelflow.domain.user import User
from reelflow.exceptions import ReelflowError
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.services import quotas
from reelflow.services.uploads.chunked.announcement import Announcement, check_announcement
from reelflow.services.uploads.chunked.sessions import key_of_file, not_found, plan_of
from reelflow.services.uploads.endings import discard, end
from reelflow.services.uploads.wishes import rehearse, wanted_of
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import media_key


def open_session(workspace: Workspace, user: User, announced: Announcement) -> UploadSession:
    """Open a session for one file; room for all of it is taken now.

    :raises ReelflowError: the announcement breaks a rule (``unsupported_media_type``,
        ``file_size``, ``file_too_large``), its post cannot be made (as
        :func:`~reelflow.services.uploads.wishes.give_to_post` says), the user's quota is spent
        (``quota_exceeded``), or the disk is full (``storage_full``); nothing is left of it then
    """
    checked = check_announcement(announced, workspace.rules.house)
    plan = plan_upload(announced.size_bytes, announced.chunk_size_bytes)
    workspace.folders.store.check_room(plan.size_bytes)
    now = workspace.ledger.now()
    session_id = uuid.uuid4().hex
    row = UploadSession(
        id=session_id,
        kind=SessionKind.CHUNKED,
        state=SessionState.OPEN,
        state_since=now,
        user_id=user.id,
        file_name=clean_file_name(announced.file_name),
        content_type=checked.content_type,
        media_type=announced.media_type.value,
        size_bytes=plan.size_bytes,
        chunk_size_bytes=plan.chunk_size_bytes,
        total_chunks=plan.total_chunks,
        sha256=announced.sha256,
        storage_key=media_key(session_id, checked.extension),
        post_id=announced.post_id,
        wish=None if announced.post is None else dict(announced.post),
        reserved_uploads=1,
        reserved_bytes=plan.size_bytes,
        created_at=now,
        last_chunk_at=now,
        expires_at=now + SESSION_LIFETIME,
    )
    with workspace.ledger.write() as session:
        rehearse(session, row, wanted_of(row), user=user, now=now)
        row.quota_day = quotas.reserve(
            session, user.id, uploads=1, size_bytes=plan.size_bytes, now=now
        )
        session.add(row)
    return _begin(workspace, row, checked.content_type)


def _begin(workspace: Workspace, row: UploadSession, content_type: str) -> UploadSession:
    """Begin in storage what the row announces; give the row up if that fails."""
    plan = plan_of(row)
    try:
        upload = workspace.folders.store.begin(
            key_of_file(row),
            size_bytes=plan.size_bytes,
            part_size_bytes=plan.chunk_size_bytes,
            content_type=content_type,
        )
    except ReelflowError:
        with workspace.ledger.write() as session:
            end(session, row.id, SessionState.CANCELLED, now=workspace.ledger.now())
        with suppress(ReelflowError):  # else the sweep does it
            discard(workspace, row)
        raise
    with workspace.ledger.write() as session:
        begun = upload_sessions.get(session, row.id, lock=True)
        if begun is None:
            raise not_found()
        begun.storage_upload_id = upload.upload_id
    return begun
