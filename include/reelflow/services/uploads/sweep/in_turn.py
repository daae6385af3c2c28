"""The sweep of uploads as servers do it: one of them at a time, every ten minutes."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from reelflow.ledger import chores
from reelflow.services.uploads.sweep.expiry import expire_uploads
from reelflow.services.workspace import Workspace

SWEPT_EVERY: Final = timedelta(minutes=10)
_CHORE: Final = "expire_uploads"


def sweep_in_turn(workspace: Workspace, *, owner: str) -> list[str]:
    """Sweep, unless a server did within the last ten minutes; a dead one is waited for no longer.

    :param owner: names this server, in the ledger and in the audit trail
    :return: the ids of the sessions that are over
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        until = now + SWEPT_EVERY
        is_ours = chores.take(session, _CHORE, owner=owner, now=now, until=until)
    return expire_uploads(workspace, actor=owner) if is_ours else []
