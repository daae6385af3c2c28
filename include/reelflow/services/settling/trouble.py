"""What stands in one post's way while many are settled: told, and stopping no other."""

from __future__ import annotations

from typing import Final

from reelflow.exceptions import ReelflowError
from reelflow.ledger import damage
from reelflow.ledger.stored_types import LEDGER_DAMAGED
from reelflow.services.workspace import Workspace

#: What work on one post may end with; :func:`trouble_with` says what it was.
TROUBLE: Final = (ReelflowError, *damage.UNREADABLE)


def trouble_with(workspace: Workspace, post_id: int, error: Exception) -> ReelflowError:
    """Return what stands in a post's way; if somebody changed its rows by hand, which and how.

    :param error: one of :data:`TROUBLE`; raised where it is neither ours nor of a changed row
    """
    if isinstance(error, ReelflowError) and error.code != LEDGER_DAMAGED:
        return error
    with workspace.ledger.read() as session:
        return damage.explained(session, post_id, error)
