"""Upload sessions that take a file in chunks: found by their user, told of, cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from reelflow.domain.ids import is_id
from reelflow.domain.upload_session import SessionKind, SessionState, UploadPlan
from reelflow.domain.user import User
from reelflow.exceptions import IllegalTransitionError, TerminalError, UploadNotFoundError
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.services.uploads.endings import discard, end
from reelflow.services.workspace import Workspace
from reelflow.storage.base import MultipartUpload


@dataclass(frozen=True)
class UploadStatus:
    """Where an upload stands.

    :param missing: chunks that are not stored whole, in their order
    :param is_expired: whether its time is over, and it only waits to be swept
    """

    session: UploadSession
    missing: Sequence[int]
    is_expired: bool

    @property
    def plan(self) -> UploadPlan:
        """How the file is cut."""
        return plan_of(self.session)

    @property
    def received(self) -> Sequence[int]:
        """Chunks that are stored whole, in their order."""
        return self.plan.missing(self.missing)


def status_of(workspace: Workspace, user: User, session_id: str) -> UploadStatus:
    """Tell where an upload stands.

    :raises TerminalError: as :func:`find`
    """
    with workspace.ledger.read() as session:
        row = find(session, user, session_id)
    every = range(plan_of(row).total_chunks)
    missing: Sequence[int]
    if row.media_id is not None:
        missing = ()
    elif row.state is SessionState.CANCELLED:
        missing = every
    else:
        missing = missing_chunks(workspace, row)
    return UploadStatus(row, missing, is_expired(row, workspace.ledger.now()))


def cancel(workspace: Workspace, user: User, session_id: str) -> None:
    """Give an upload up, and all it has stored.

    :raises TerminalError: as :func:`find`; ``upload_state``: it is finished
    """
    with workspace.ledger.write() as session:
        row = find(session, user, session_id, lock=True)
        if row.state is SessionState.FINISHED:
            raise wrong_state(row)
        if row.state is not SessionState.CANCELLED:
            is_being_finished = row.state is SessionState.FINISHING
            end(
                session,
                row.id,
                SessionState.CANCELLED,
                now=workspace.ledger.now(),
                is_overtaken=is_being_finished,
            )
        row.error = None  # what explained its end is not asked for any more
    discard(workspace, row)


def find(
    session: Session,
    user: User,
    session_id: str,
    *,
    kind: SessionKind = SessionKind.CHUNKED,
    lock: bool = False,
) -> UploadSession:
    """Return a user's session, whatever its state.

    :raises TerminalError: ``upload_not_found``: there is none, it is another user's, or it was
        cancelled or swept
    """
    row = upload_sessions.get(session, session_id, lock=lock) if is_id(session_id) else None
    if row is None or row.kind is not kind or not user.owns(row.user_id):
        raise not_found()
    if _is_gone(row):
        raise not_found()
    return row


def find_recent(workspace: Workspace, user: User, session_id: str) -> UploadSession:
    """Return a user's session, an open one as it was a moment ago; it is only for reading.

    :raises TerminalError: as :func:`find`
    """
    now = workspace.ledger.now()
    row = workspace.recent_sessions.find(user, session_id, now=now)
    if row is None:
        with workspace.ledger.read() as session:
            row = find(session, user, session_id)
        workspace.recent_sessions.remember(row, now=now)
    return row


def _is_gone(row: UploadSession) -> bool:
    """Whether the sweep alone still knows of a session."""
    is_given_up = row.state is SessionState.CANCELLED and row.error is None
    return is_given_up or row.state is SessionState.EXPIRED


def check_open(row: UploadSession, now: datetime) -> None:
    """Raise unless a session takes chunks.

    :raises TerminalError: ``upload_expired``
    :raises IllegalTransitionError: ``upload_state``
    """
    if row.state is not SessionState.OPEN:
        raise wrong_state(row)
    if is_expired(row, now):
        raise TerminalError(
            "this upload had its last chunk too long ago, and is given up: begin a new one",
            code="upload_expired",
            expired_at=row.expires_at.isoformat(),
        )


def is_expired(row: UploadSession, now: datetime) -> bool:
    """Whether a session takes nothing any more because its time is over."""
    return row.state is SessionState.OPEN and row.expires_at <= now


def missing_chunks(workspace: Workspace, row: UploadSession) -> list[int]:
    """Return the chunks that are not stored whole, in their order.

    :raises TerminalError: ``upload_not_found``: storage has nothing of it any more
    """
    try:
        parts = workspace.folders.store.missing_parts(upload_of(row))
    except UploadNotFoundError:
        if workspace.folders.store.stat(key_of_file(row)) is None:
            raise not_found() from None
        return []  # the file was put together already
    return [number - 1 for number in parts]


def received_chunks(workspace: Workspace, row: UploadSession) -> int:
    """Return how many chunks are stored whole; others' are counted within seconds.

    :raises TerminalError: as :func:`missing_chunks`
    """
    try:
        return workspace.folders.store.received_parts(upload_of(row))
    except UploadNotFoundError:
        return plan_of(row).total_chunks - len(missing_chunks(workspace, row))


def plan_of(row: UploadSession) -> UploadPlan:
    """Return how a session's file is cut."""
    assert row.size_bytes is not None
    assert row.chunk_size_bytes is not None
    assert row.total_chunks is not None
    return UploadPlan(row.size_bytes, row.chunk_size_bytes, row.total_chunks)


def key_of_file(row: UploadSession) -> str:
    """Return where a session's file will lie."""
    assert row.storage_key is not None
    return row.storage_key


def upload_of(row: UploadSession) -> MultipartUpload:
    """Return what a session has begun in storage.

    :raises TerminalError: ``upload_not_found``: its process died before it had begun
    """
    if row.storage_upload_id is None:
        raise not_found()
    plan = plan_of(row)
    return MultipartUpload(
        row.storage_upload_id, key_of_file(row), plan.size_bytes, plan.chunk_size_bytes
    )


def not_found() -> TerminalError:
    """Return the error for an upload that a user does not have."""
    return TerminalError(
        "there is no such upload: it was cancelled, is over, or never was; begin a new one",
        code="upload_not_found",
    )


_ADVICE: Final[Mapping[SessionState, str]] = {
    SessionState.FINISHED: "its file is whole and has a record",
    SessionState.FINISHING: "finalize it again to have its record",
    SessionState.CANCELLED: "its file was refused, and finalize says why",
}


def wrong_state(row: UploadSession) -> TerminalError:
    """Return the error for a session that does not take what was sent, or is not there any more."""
    if _is_gone(row):
        return not_found()
    advice = _ADVICE.get(row.state, "ask for its status")
    details: dict[str, Any] = {"state": row.state.value}
    if row.media_id is not None:
        details["media_id"] = row.media_id
    return IllegalTransitionError(
        f"this upload is {row.state}: {advice}", code="upload_state", **details
    )
