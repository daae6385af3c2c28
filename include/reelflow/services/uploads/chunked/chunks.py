"""Taking one chunk of an upload: checked before its first byte, on the disk before it counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from reelflow.domain.upload_session import SessionState, UploadPlan
from reelflow.domain.user import User
from reelflow.exceptions import ContentMismatchError, TerminalError, UploadNotFoundError
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.services.uploads.chunked.sessions import (
    check_open,
    find,
    find_recent,
    not_found,
    plan_of,
    received_chunks,
    upload_of,
    wrong_state,
)
from reelflow.services.workspace import Workspace
from reelflow.storage.base import PartWriter

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: Chunks may come many times a second, and each write to the ledger waits for its disk: when the
#: last one came is written down so often at most, so a session may end as much earlier.
TOUCHED_EVERY: Final = timedelta(seconds=10)


@dataclass(frozen=True)
class ReceivedChunk:
    """A chunk that counts, and how far the upload has come with it.

    :param received_chunks: chunks that other servers took just now may not be counted yet
    """

    upload_id: str
    index: int
    received_chunks: int
    total_chunks: int
    expires_at: datetime


class IncomingChunk:
    """A chunk on its way, to be committed once all its bytes were written."""

    def __init__(
        self, workspace: Workspace, row: UploadSession, index: int, part: PartWriter
    ) -> None:
        self._workspace = workspace
        self._row = row
        self._index = index
        self._part = part

    def write(self, *blocks: Buffer) -> None:
        """Take its next bytes."""
        self._part.write(*blocks)

    def commit(self) -> ReceivedChunk:
        """Let it count."""
        self._part.commit()
        expires_at = _touch(self._workspace, self._row)
        received = received_chunks(self._workspace, self._row)
        total = plan_of(self._row).total_chunks
        return ReceivedChunk(self._row.id, self._index, received, total, expires_at)


@contextmanager
def receive_chunk(
    workspace: Workspace,
    user: User,
    session_id: str,
    index: int,
    *,
    size_bytes: int | None = None,
    sha256: str | None = None,
) -> Iterator[IncomingChunk]:
    """Take a chunk within the block; without a commit it stays missing, and the rest as it is.

    :param index: from 0
    :param size_bytes: how many bytes are announced, where that is known
    :param sha256: what they must hash to, 64 lower-case hex digits
    :raises TerminalError: as :func:`~reelflow.services.uploads.chunked.sessions.find` and
        :func:`~reelflow.services.uploads.chunked.sessions.check_open`; ``chunk_index``
    :raises ContentMismatchError: ``chunk_length``, ``chunk_digest`` or ``chunk_differs``
    :raises PartBusyError: another writer has this chunk just now
    """
    row = _taking(workspace, user, session_id, index, size_bytes)
    plan = plan_of(row)
    try:
        with workspace.folders.store.open_part(upload_of(row), index + 1, sha256=sha256) as part:
            yield IncomingChunk(workspace, row, index, part)
    except ContentMismatchError as exc:
        raise _mismatch(exc.code, plan, index) from exc
    except UploadNotFoundError as exc:
        workspace.recent_sessions.forget(session_id)
        raise _overtaken(workspace, user, session_id) from exc


def _taking(
    workspace: Workspace, user: User, session_id: str, index: int, size_bytes: int | None
) -> UploadSession:
    """Return the session that takes a chunk, as it was a moment ago; none is refused by that."""

    def check(row: UploadSession) -> UploadSession:
        check_open(row, workspace.ledger.now())
        _check_place(plan_of(row), index, size_bytes)
        return row

    try:
        return check(find_recent(workspace, user, session_id))
    except TerminalError:
        workspace.recent_sessions.forget(session_id)
    return check(find_recent(workspace, user, session_id))


def _check_place(plan: UploadPlan, index: int, size_bytes: int | None) -> None:
    if not 0 <= index < plan.total_chunks:
        raise TerminalError(
            f"there is no chunk {index}: this upload has the chunks 0 to {plan.total_chunks - 1}",
            code="chunk_index",
            index=index,
            total_chunks=plan.total_chunks,
        )
    if size_bytes is not None and size_bytes != plan.size_of_chunk(index):
        raise _mismatch("chunk_length", plan, index, received_bytes=size_bytes)


def _overtaken(workspace: Workspace, user: User, session_id: str) -> TerminalError:
    """Return the error for a chunk whose upload ended while it was on its way."""
    with workspace.ledger.read() as session:
        row = find(session, user, session_id)
    return not_found() if row.state is SessionState.OPEN else wrong_state(row)


#: What storage refuses, in the words of whoever sends chunks.
_WHY: Final = {
    "chunk_length": "chunk {index} must have exactly {size} bytes: send just these",
    "chunk_digest": "chunk {index} does not have the digest it was sent with: send it again",
    "chunk_differs": "chunk {index} was stored before with other bytes, and stays as it is: cancel"
    " the upload if those were wrong",
}


def _mismatch(code: str, plan: UploadPlan, index: int, **details: Any) -> ContentMismatchError:
    size = plan.size_of_chunk(index)
    message = _WHY.get(code, "chunk {index} is not what was announced: send it again")
    return ContentMismatchError(
        message.format(index=index, size=size),
        code=code,
        index=index,
        expected_bytes=size,
        **details,
    )


def _touch(workspace: Workspace, row: UploadSession) -> datetime:
    """Let a session live on because a chunk came; return until when."""
    now = workspace.ledger.now()
    if now - row.last_chunk_at < TOUCHED_EVERY:
        return row.expires_at
    with workspace.ledger.write() as session:
        current = upload_sessions.get(session, row.id, lock=True)
        if current is None:
            raise not_found()
        if current.state is not SessionState.OPEN:
            raise wrong_state(current)
        upload_sessions.touch(current, now=now)
        workspace.recent_sessions.forget(row.id)
        return current.expires_at
