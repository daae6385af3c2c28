"""Open sessions that were looked at a moment ago: chunks of one come many times a second."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from reelflow.domain.upload_session import SessionState
from reelflow.domain.user import User
from reelflow.ledger.intake_models import UploadSession
from reelflow.services.uploads.sessions import find
from reelflow.services.workspace import Workspace

#: So long a chunk is taken by what its session was. Nothing hangs on it: storage alone decides what
#: counts, and takes nothing of an upload that has ended.
REMEMBERED: Final = timedelta(seconds=1)
_MOST: Final = 1000

_recent: Final[OrderedDict[str, tuple[datetime, UploadSession]]] = OrderedDict()


def find_recent(workspace: Workspace, user: User, session_id: str) -> UploadSession:
    """Return a user's session, an open one as it was a moment ago; it is only for reading.

    :raises TerminalError: as :func:`~reelflow.services.uploads.sessions.find`
    """
    now = workspace.ledger.now()
    remembered = _recent.get(session_id)
    if remembered is not None:
        read_at, row = remembered
        if user.owns(row.user_id) and timedelta() <= now - read_at < REMEMBERED:
            return row
    with workspace.ledger.read() as session:
        row = find(session, user, session_id)
    if row.state is SessionState.OPEN:
        _recent[session_id] = (now, row)
        if len(_recent) > _MOST:
            _recent.popitem(last=False)
    return row


def forget(session_id: str) -> None:
    """Let a session be read anew."""
    _recent.pop(session_id, None)
