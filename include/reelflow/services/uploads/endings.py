"""How upload sessions end: with a file, which counts in a quota, or with nothing left of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from reelflow.domain.upload_session import SWEPT_AFTER, SessionState
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Media, Post, Verdict
from reelflow.services import quotas
from reelflow.services.workspace import Workspace
from reelflow.storage.base import BegunUpload
from reelflow.storage.folders import thumbnail_key


def end_with_file(
    session: Session, media: Media, post: Post | None = None, *, now: datetime
) -> UploadSession:
    """End a session with its file: what it reserved of its user's quota is used now.

    :param media: the record of the file, which has the session's id; its size is what counts
    :param post: that the file was given to
    :raises IllegalTransitionError: the session is not FINISHING; nothing was changed
    """
    row = upload_sessions.move(session, media.id, SessionState.FINISHED, now=now)
    assert row is not None
    if row.quota_day is not None:
        quotas.take(
            session,
            row.user_id,
            row.quota_day,
            uploads=row.reserved_uploads,
            reserved_bytes=row.reserved_bytes,
            taken_bytes=media.size_bytes,
        )
    row.reserved_uploads = row.reserved_bytes = 0
    row.media_id = media.id
    row.post_id = None if post is None else post.id
    return row


def end(
    session: Session,
    session_id: str,
    to: SessionState,
    *,
    now: datetime,
    error: Mapping[str, Any] | None = None,
    is_overtaken: bool = False,
) -> None:
    """End a session without a file, and give back what it held of its user's quota.

    A record of its file, which has its id, goes with what was asked about it.

    :param error: what its user is told who asks once more
    :param is_overtaken: another process may be storing its file just now, and die before it learns
        of this: the row stays until that must be over, and the sweep deletes the file once more
    :raises IllegalTransitionError: it has ended already; nothing was changed
    """
    row = upload_sessions.move(session, session_id, to, now=now)
    if row is None:
        return
    session.execute(delete(Verdict).where(Verdict.media_id == session_id))
    session.execute(delete(Media).where(Media.id == session_id))
    if row.quota_day is not None:
        quotas.give_back(
            session,
            row.user_id,
            row.quota_day,
            uploads=row.reserved_uploads,
            size_bytes=row.reserved_bytes,
        )
    row.reserved_uploads = row.reserved_bytes = 0
    row.expires_at = row.last_chunk_at + SWEPT_AFTER if is_overtaken else now
    row.error = None if error is None else dict(error)


def discard(
    workspace: Workspace, row: UploadSession, *, begun: Iterable[BegunUpload] | None = None
) -> bool:
    """Delete what an ended session stored, then its row; doing it again is harmless.

    A row that explains its end stays for a while, without anything stored.

    :param begun: the store's uploads, where they are known
    :return: False while its file may still come, as :func:`end` says: it is to be done again
    """
    store = workspace.folders.store
    if row.storage_key is not None:
        for upload in _uploads_of(workspace, row, begun):
            store.abort(upload)
        # Only now: what was just being put together is there, or will not be any more.
        store.delete(row.storage_key)
        store.delete(thumbnail_key(row.id))  # a file has its session's id, and may have been seen
    with workspace.ledger.write() as session:
        kept = upload_sessions.get(session, row.id, lock=True)
        if kept is None:
            return True
        if kept.expires_at > workspace.ledger.now():
            return False
        if row.error is None:
            session.delete(kept)
        else:
            kept.storage_key = kept.storage_upload_id = None
    return True


def _uploads_of(
    workspace: Workspace, row: UploadSession, begun: Iterable[BegunUpload] | None
) -> list[BegunUpload]:
    """Return what a session has begun in the store; a crash may have kept its name from the row."""
    assert row.storage_key is not None
    if row.storage_upload_id is not None:
        return [BegunUpload(row.storage_upload_id, row.storage_key, row.created_at)]
    known = workspace.folders.store.begun() if begun is None else begun
    return [upload for upload in known if upload.key == row.storage_key]
