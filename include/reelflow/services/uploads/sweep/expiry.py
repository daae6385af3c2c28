"""Sweeping upload sessions whose time is over, and what crashes left of those that ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from reelflow.domain.upload_session import (
    SESSION_LIFETIME,
    SWEPT_AFTER,
    SessionKind,
    SessionState,
)
from reelflow.exceptions import (
    ConfigurationError,
    IllegalTransitionError,
    ReelflowError,
    TransientError,
)
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.services.uploads.chunked.finishing import finish
from reelflow.services.uploads.endings import discard, end
from reelflow.services.uploads.going_on import going_on
from reelflow.services.uploads.media import finish_deletions
from reelflow.services.uploads.sweep.old_rows import delete_old_rows
from reelflow.services.uploads.sweep.strays import delete_strays
from reelflow.services.uploads.wishes import owner_of
from reelflow.services.workspace import Workspace
from reelflow.storage.base import BegunUpload

log = logging.getLogger(__name__)

#: Most sessions of one sweep; the next one comes soon.
_AT_ONCE: Final = 1000


@dataclass(frozen=True)
class Swept:
    """What a sweep did.

    :param expired_uploads: ids of the sessions that are over
    :param deleted_media: ids of the files of which a crash had left something
    """

    expired_uploads: list[str]
    deleted_media: list[str]


def expire_uploads(workspace: Workspace, *, actor: str) -> list[str]:
    """Sweep as :func:`sweep_uploads`, and return the ids of the sessions that are over."""
    return sweep_uploads(workspace, actor=actor).expired_uploads


def sweep_uploads(workspace: Workspace, *, actor: str) -> Swept:
    """End every upload that had its last chunk too long ago, and delete what it stored.

    One that was being finished is finished: all of its bytes came, and its sender was promised so.
    One session's trouble stops no other: it is logged, and tried again by the next sweep.
    """
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        overdue = upload_sessions.overdue(session, now=now, limit=_AT_ONCE)
    for row in overdue:
        with going_on(f"upload {row.id} was not ended"):
            _end_overdue(workspace, row, actor=actor)
    gone, deleted = _discard_ended(workspace), finish_deletions(workspace)
    with going_on("objects that forms brought were not looked for"):
        delete_strays(workspace)
    delete_old_rows(workspace)
    return Swept(gone, deleted)


def _end_overdue(workspace: Workspace, row: UploadSession, *, actor: str) -> None:
    """Move a session to its end; what it stored is dropped after that."""
    try:
        if row.state is SessionState.FINISHING and row.kind is SessionKind.CHUNKED:
            finish(workspace, row.id, user=owner_of(row), actor=actor)
            return
    except (ConfigurationError, TransientError) as exc:  # nothing that its sender did
        log.warning("upload %s cannot be finished now: %s", row.id, exc)
        return
    except ReelflowError as exc:  # its post cannot be made any more, or its file is refused
        log.warning("upload %s cannot be finished, and is given up: %s", row.id, exc)
    _give_up(workspace, row.id)


def _give_up(workspace: Workspace, session_id: str) -> None:
    now = workspace.ledger.now()
    try:
        with workspace.ledger.write() as session:
            row = upload_sessions.get(session, session_id, lock=True)
            if row is None or row.expires_at > now - (SWEPT_AFTER - SESSION_LIFETIME):
                return  # a chunk came meanwhile
            is_open = row.state is SessionState.OPEN
            to = SessionState.EXPIRED if is_open else SessionState.CANCELLED
            end(session, session_id, to, now=now)
    except IllegalTransitionError:
        log.info("upload %s ended while it was swept", session_id)


def _discard_ended(workspace: Workspace) -> list[str]:
    """Delete what sessions stored that ended without a file, then their rows."""
    now = workspace.ledger.now()
    ended = (SessionState.EXPIRED, SessionState.CANCELLED)
    with workspace.ledger.read() as session:
        rows = session.scalars(
            select(UploadSession)
            .where(UploadSession.state.in_(ended))
            .order_by(UploadSession.ended_at)
            .limit(_AT_ONCE)
        ).all()
    begun = _begun_unnamed(workspace, rows)
    gone = []
    for row in rows:
        is_told = row.error is not None and row.state_since > now - SWEPT_AFTER
        if is_told and row.storage_key is None:
            continue  # its sender may still ask why
        if not is_told:
            row.error = None
        with going_on(f"upload {row.id} was not deleted, or not all that it stored"):
            if discard(workspace, row, begun=begun):
                gone.append(row.id)
    return gone


def _begun_unnamed(
    workspace: Workspace, rows: Sequence[UploadSession]
) -> Sequence[BegunUpload] | None:
    """Return the store's uploads if a row needs them, listed once for all of them."""
    needed = any(row.storage_key and row.storage_upload_id is None for row in rows)
    return list(workspace.folders.store.begun()) if needed else None
