"""Runs the stages' commonest statements once, on no post, before a process forks its tasks.

SQLAlchemy compiles a statement when an engine first runs it. A task that is forked afterwards finds
it compiled; one that is not spends a tenth of a second of CPU on it.
"""

from __future__ import annotations

from reelflow.exceptions import PostNotFoundError
from reelflow.ledger import posts, publications
from reelflow.services.workspace import Workspace

_NO_POST = -1


def warm_up(workspace: Workspace) -> None:
    """Run the statements; no row is changed.

    :raises LedgerLockedError: the ledger stayed locked, or cannot be reached
    """
    now, rules = workspace.ledger.now(), workspace.rules
    with workspace.ledger.write() as session:
        posts.claim(session, [_NO_POST], run_id="", now=now, claim=rules.claim)
        posts.release_lease(session, _NO_POST, fencing_token=0)
        posts.with_content(session, account_id=_NO_POST, sha256="", but_not=_NO_POST)
        publications.current(session, _NO_POST)
        publications.count(session, _NO_POST)
        for lock in (False, True):
            try:
                posts.get(session, _NO_POST, lock=lock)
            except PostNotFoundError:
                continue
