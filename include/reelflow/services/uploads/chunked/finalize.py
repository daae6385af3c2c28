"""Finishing an upload: its chunks become one file, the file a media row, the row part of a post.

::

    OPEN --(1)--> FINISHING --(2) storage completes, (3) first look--> --(4) one commit--> FINISHED

What its sender can mend leads back to OPEN; a file that is not what it was announced as ends it.
"""

from __future__ import annotations

from typing import Final

from reelflow.domain.upload_session import SessionState, ranges
from reelflow.domain.user import User
from reelflow.exceptions import TerminalError
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.services.uploads.chunked.finishing import Finished, finish
from reelflow.services.uploads.chunked.sessions import check_open, find, missing_chunks, plan_of
from reelflow.services.uploads.wishes import PostWanted, owner_of, rehearse, wanted_of
from reelflow.services.workspace import Workspace

__all__ = ["Finished", "PostWanted", "finalize"]

#: Most ranges of missing chunks that an error names.
_RANGES_SHOWN: Final = 100


def finalize(
    workspace: Workspace, user: User, session_id: str, wanted: PostWanted | None = None
) -> Finished:
    """Finish an upload; asked again, answer the same.

    :param wanted: in place of what was said when it was opened, also that there is no post; nothing
        that was begun already changes for it
    :raises TerminalError: as :func:`~reelflow.services.uploads.chunked.sessions.find` and
        :func:`~reelflow.services.uploads.chunked.sessions.check_open`; ``chunks_missing``
    :raises MediaRejectedError: ``not_this_media``: the upload has ended, and its file is gone
    :raises ReelflowError: its post cannot be made, or storage cannot do it now: it stays open
    """
    with workspace.ledger.read() as session:
        row = find(session, user, session_id)
    acting = user if user.id == row.user_id else owner_of(row)
    if row.state is SessionState.OPEN:
        check_open(row, workspace.ledger.now())
        _check_whole(workspace, row)
        try:
            _begin_finishing(workspace, user, session_id, acting, wanted)
        finally:
            workspace.recent_sessions.forget(session_id)
    return finish(workspace, session_id, user=acting, actor=user.actor)


def _check_whole(workspace: Workspace, row: UploadSession) -> None:
    missing = missing_chunks(workspace, row)
    if missing:
        total = plan_of(row).total_chunks
        raise TerminalError(
            f"{len(missing)} of {total} chunks are missing, the first is chunk {missing[0]}: send "
            "them, then finalize again",
            code="chunks_missing",
            missing=ranges(missing)[:_RANGES_SHOWN],
            missing_chunks=len(missing),
            total_chunks=total,
        )


def _begin_finishing(
    workspace: Workspace, user: User, session_id: str, acting: User, wanted: PostWanted | None
) -> None:
    """Let nobody but finishers touch a session, once its post can be made as far as one can tell.

    Another request may have done so just before; its wish counts then.
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        row = find(session, user, session_id, lock=True)
        if row.state is not SessionState.OPEN:
            return
        rehearse(session, row, wanted_of(row) if wanted is None else wanted, user=acting, now=now)
        if wanted is not None:
            row.wish = None if wanted.post is None else dict(wanted.post)
            row.post_id = wanted.post_id
        upload_sessions.move(session, session_id, SessionState.FINISHING, now=now)
