"""Sessions of the dashboard: opened, used for one file, told of, and given up."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.content_types import MediaType
from reelflow.domain.ids import is_id
from reelflow.domain.upload_session import ENDED, SessionKind, SessionState
from reelflow.domain.user import User
from reelflow.exceptions import QuotaExceededError, ReelflowError, TerminalError
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Media
from reelflow.services import quotas
from reelflow.services.uploads.endings import discard, end
from reelflow.services.workspace import Workspace

#: Most sessions of a user that wait for their file: each is a row, and reserves nothing.
OPEN_MAX: Final = 100

_NOT_FOUND: Final = (
    "there is no such upload session: it was used, has expired, or never was; open a new one"
)


class SessionStatus(StrEnum):
    """What may be done with a session."""

    ACTIVE = "active"
    EXPIRED = "expired"
    INVALID = "invalid"


@dataclass(frozen=True)
class CleanUp:
    """What was undone of an upload that failed.

    :param session_closed: False where it had ended before
    :param row_deleted: whether the ledger had a record of its file
    :param object_deleted: None where nothing was stored; False: storage refused, and a sweep does
        it
    """

    session_closed: bool = False
    row_deleted: bool = False
    object_deleted: bool | None = None

    @property
    def was_needed(self) -> bool:
        """Whether there was anything to undo."""
        return self.session_closed or self.row_deleted or self.object_deleted is not None


def open_session(workspace: Workspace, user: User) -> UploadSession:
    """Open a session for one video; it reserves nothing of the user's quota until that comes.

    :raises QuotaExceededError: the user may upload nothing more today, or has too many sessions
        that nobody used (code ``too_many_sessions``)
    """
    now = workspace.ledger.now()
    row = UploadSession(
        id=uuid.uuid4().hex,
        kind=SessionKind.DASHBOARD,
        state=SessionState.OPEN,
        state_since=now,
        user_id=user.id,
        file_name="",
        content_type="",
        media_type=MediaType.VIDEO.value,
        reserved_uploads=0,
        reserved_bytes=0,
        created_at=now,
        last_chunk_at=now,
    )
    upload_sessions.touch(row, now=now)
    with workspace.ledger.write() as session:
        # Only to know whether one more is allowed.
        day = quotas.reserve(session, user.id, uploads=1, size_bytes=0, now=now)
        quotas.give_back(session, user.id, day, uploads=1, size_bytes=0)
        _check_open(session, user, now=now)  # of this user one at a time: that day is locked
        session.add(row)
    return row


def _check_open(session: Session, user: User, *, now: datetime) -> None:
    count, first_over = upload_sessions.unused(
        session, user.id, kind=SessionKind.DASHBOARD, now=now
    )
    if first_over is not None and count >= OPEN_MAX:
        raise QuotaExceededError(
            f"{count} sessions are open and have no file yet, and a user has at most {OPEN_MAX}: "
            f"use or delete them, or wait until {first_over:%Y-%m-%d %H:%M} UTC",
            code="too_many_sessions",
            retry_after_s=(first_over - now).total_seconds(),
            limit=OPEN_MAX,
        )


def use_session(workspace: Workspace, user: User, session_id: str) -> None:
    """Let one request use a session, and no other: from now on it ends, whatever comes of it.

    :raises TerminalError: the user has no such session that nobody used; ``session_not_found``
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        row = _find(session, user, session_id, lock=True)
        if row is None or row.state is not SessionState.OPEN or row.expires_at <= now:
            raise not_found()
        upload_sessions.touch(row, now=now)
        upload_sessions.move(session, row.id, SessionState.FINISHING, now=now)


def reserve_room(workspace: Workspace, session_id: str, *, size_bytes: int) -> None:
    """Reserve the place of a used session's video in its user's quota.

    :param size_bytes: that the file has at least; what it has more is reserved once it is here
    :raises TerminalError: the session was given up meanwhile; ``session_not_found``
    :raises QuotaExceededError: the user may not upload so much today
    :raises StorageFullError: there is no room for it
    """
    workspace.folders.store.check_room(size_bytes)
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        row = locked(session, session_id)
        day = quotas.reserve(session, row.user_id, uploads=1, size_bytes=size_bytes, now=now)
        row.quota_day, row.reserved_uploads, row.reserved_bytes = day, 1, size_bytes


def locked(session: Session, session_id: str) -> UploadSession:
    """Return a session that takes its file in, held until the transaction ends.

    :raises TerminalError: it was given up meanwhile; ``session_not_found``
    """
    row = upload_sessions.get(session, session_id, lock=True)
    if row is None or not takes_file(row):
        raise not_found()
    return row


def takes_file(row: UploadSession | None) -> bool:
    """Whether a session is used just now."""
    return row is not None and row.state is SessionState.FINISHING


def status_of(
    workspace: Workspace, user: User, session_id: str
) -> tuple[SessionStatus, UploadSession | None]:
    """Tell whether a session can be used; of somebody else's no more than that it cannot."""
    with workspace.ledger.read() as session:
        row = _find(session, user, session_id)
    if row is None or row.state not in (SessionState.OPEN, SessionState.EXPIRED):
        return SessionStatus.INVALID, row  # or it takes its file just now: it takes no other
    is_over = row.state is SessionState.EXPIRED or row.expires_at <= workspace.ledger.now()
    return SessionStatus.EXPIRED if is_over else SessionStatus.ACTIVE, row


def cancel(workspace: Workspace, user: User, session_id: str) -> None:
    """Give a session up; a file that is just being sent to it is not kept.

    :raises TerminalError: the user has no such session that goes on; ``session_not_found``
    """
    with workspace.ledger.read() as session:
        row = _find(session, user, session_id)
    if row is None or not give_up(workspace, session_id, is_overtaken=True).session_closed:
        raise not_found()


def give_up(workspace: Workspace, session_id: str, *, is_overtaken: bool = False) -> CleanUp:
    """End a session without a file: what it reserved, wrote down and stored goes.

    It ends first, so that nobody makes a record of the object that goes at last.

    :param is_overtaken: another request may be using it
    """
    with workspace.ledger.write() as session:
        row = upload_sessions.get(session, session_id, lock=True)
        if row is None or row.state is SessionState.FINISHED:
            return CleanUp()
        is_open = row.state not in ENDED
        has_file = is_open and session.get(Media, row.id) is not None
        if is_open:
            end(
                session,
                row.id,
                SessionState.CANCELLED,
                now=workspace.ledger.now(),
                is_overtaken=is_overtaken and row.state is SessionState.FINISHING,
            )
    is_stored = row.storage_key is not None
    try:
        discard(workspace, row, begun=())
    except ReelflowError:
        return CleanUp(is_open, has_file, False if is_stored else None)
    return CleanUp(is_open, has_file, True if is_stored else None)


def not_found() -> TerminalError:
    """Return the error for a session that cannot be used by who asks."""
    return TerminalError(_NOT_FOUND, code="session_not_found")


def _find(
    session: Session, user: User, session_id: str, *, lock: bool = False
) -> UploadSession | None:
    row = upload_sessions.get(session, session_id, lock=lock) if is_id(session_id) else None
    is_ours = row is not None and row.kind is SessionKind.DASHBOARD and row.user_id == user.id
    return row if is_ours else None
