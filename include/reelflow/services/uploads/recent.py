"""Open sessions that were looked at a moment ago: chunks of one come many times a second."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from reelflow.domain.upload_session import SessionState
from reelflow.domain.user import User
from reelflow.ledger.intake_models import UploadSession

#: So long a chunk is taken by what its session was. Nothing hangs on it: storage alone decides what
#: counts, and takes nothing of an upload that has ended.
REMEMBERED: Final = timedelta(seconds=1)
_MOST: Final = 1000


class RecentSessions:
    """What one process remembers of the sessions of a workspace; rows are only for reading."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, tuple[datetime, UploadSession]] = OrderedDict()

    def find(self, user: User, session_id: str, *, now: datetime) -> UploadSession | None:
        """Return a user's open session as it was a moment ago, if it is remembered."""
        remembered = self._rows.get(session_id)
        if remembered is None:
            return None
        read_at, row = remembered
        is_recent = timedelta() <= now - read_at < REMEMBERED
        return row if is_recent and user.owns(row.user_id) else None

    def remember(self, row: UploadSession, *, now: datetime) -> None:
        """Remember a session as it was read just now, if it is open."""
        if row.state is SessionState.OPEN:
            self._rows[row.id] = (now, row)
            if len(self._rows) > _MOST:
                self._rows.popitem(last=False)

    def forget(self, session_id: str) -> None:
        """Let a session be read anew."""
        self._rows.pop(session_id, None)
