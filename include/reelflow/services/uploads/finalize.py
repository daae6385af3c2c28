"""Finishing an upload: its chunks become one file, the file a media row, the row part of a post.

::

    OPEN --(1)--> FINISHING --(2) storage completes, (3) first look--> --(4) one commit--> FINISHED

Every step can be done again, by any process: whoever finds a session FINISHING goes on with it.
What its sender can mend leads back to OPEN; a file that is not what it was announced as ends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from reelflow.domain.content_types import MediaType
from reelflow.domain.upload_session import SessionState, ranges
from reelflow.domain.user import User
from reelflow.exceptions import (
    ContentMismatchError,
    IllegalTransitionError,
    MediaRejectedError,
    ObjectExistsError,
    ReelflowError,
    TerminalError,
    UploadNotFoundError,
)
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Media, Post
from reelflow.media.sniff import HEAD_BYTES
from reelflow.services import quotas
from reelflow.services.uploads.endings import discard, end
from reelflow.services.uploads.first_look import FirstLook, look_at, refuse_broken
from reelflow.services.uploads.sessions import (
    check_open,
    find,
    key_of_file,
    missing_chunks,
    not_found,
    plan_of,
    upload_of,
    wrong_state,
)
from reelflow.services.uploads.wishes import add_media, give_to_post, owner_of, rehearse
from reelflow.services.workspace import Workspace
from reelflow.storage.base import ObjectInfo

#: Most ranges of missing chunks that an error names.
_RANGES_SHOWN: Final = 100


@dataclass(frozen=True)
class PostWanted:
    """Which post a file is for, when that is said at its end only.

    :param post_id: the one that waits for it
    :param post: the fields of the one to make
    """

    post_id: int | None = None
    post: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Finished:
    """What an upload became.

    :param is_new: whether it did so now
    """

    media: Media
    post: Post | None
    is_new: bool


def finalize(
    workspace: Workspace, user: User, session_id: str, wanted: PostWanted | None = None
) -> Finished:
    """Finish an upload; asked again, answer the same.

    :param wanted: in place of what was said when it was opened; nothing that was begun already
        changes for it
    :raises TerminalError: as :func:`~reelflow.services.uploads.sessions.find` and
        :func:`~reelflow.services.uploads.sessions.check_open`; ``chunks_missing``
    :raises MediaRejectedError: ``not_this_media``: the upload has ended, and its file is gone
    :raises ReelflowError: its post cannot be made, or storage cannot do it now: it stays open
    """
    with workspace.ledger.read() as session:
        row = find(session, user, session_id)
    acting = user if user.id == row.user_id else owner_of(row)
    if row.state is SessionState.CANCELLED:
        raise _refusal(row)
    if row.state is SessionState.OPEN:
        check_open(row, workspace.ledger.now())
        _check_whole(workspace, row)
        _begin_finishing(workspace, user, session_id, acting, wanted or PostWanted())
    return finish(workspace, session_id, user=acting, actor=user.actor)


def finish(workspace: Workspace, session_id: str, *, user: User, actor: str) -> Finished:
    """Go on with a session that is being finished, wherever it stands.

    :param user: in whose name its post is made
    :raises ReelflowError: as :func:`finalize`
    """
    with workspace.ledger.read() as session:
        row = upload_sessions.get(session, session_id)
        if row is None:
            raise not_found()
        if row.state is SessionState.FINISHED:
            return _finished(session, row, is_new=False)
    try:
        info = _complete(workspace, row)
        look = _look(workspace, row, info)
        refuse_broken([look])
    except MediaRejectedError as exc:
        raise _give_up(workspace, row, exc) from exc
    except ReelflowError:
        _reopen(workspace, row)
        raise
    try:
        return _write_rows(workspace, session_id, info, look, user=user, actor=actor)
    except (IllegalTransitionError, UploadNotFoundError):
        raise
    except ReelflowError:
        _reopen(workspace, row)
        raise


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
    workspace: Workspace, user: User, session_id: str, acting: User, wanted: PostWanted
) -> None:
    """Let nobody but finishers touch a session, once its post can be made as far as one can tell.

    Another request may have done so just before; its wish counts then.
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        row = find(session, user, session_id, lock=True)
        if row.state is not SessionState.OPEN:
            return
        if wanted.post is not None:
            row.wish, row.post_id = dict(wanted.post), None
        elif wanted.post_id is not None:
            row.wish, row.post_id = None, wanted.post_id
        session.flush()
        rehearse(session, row, user=acting, now=now)
        upload_sessions.move(session, session_id, SessionState.FINISHING, now=now)


def _complete(workspace: Workspace, row: UploadSession) -> ObjectInfo:
    """Let storage make one object of the chunks, or find that it has."""
    store = workspace.folders.store
    try:
        return store.complete(upload_of(row), only_if_absent=True)
    except (UploadNotFoundError, ObjectExistsError):
        info = store.stat(key_of_file(row))
        if info is None:
            raise not_found() from None
        return info
    except ContentMismatchError as exc:
        raise TerminalError(
            "chunks are missing: ask for the status, send them, then finalize again",
            code="chunks_missing",
        ) from exc


def _look(workspace: Workspace, row: UploadSession, info: ObjectInfo) -> FirstLook:
    with workspace.folders.open(info.key, identity=info.identity) as source:
        head = source.read_at(0, HEAD_BYTES)
    return look_at(
        head,
        size_bytes=info.size_bytes,
        file_name=row.file_name,
        media_type=MediaType(row.media_type),
        declared_type=row.content_type,
        house=workspace.rules.house,
    )


def _write_rows(
    workspace: Workspace,
    session_id: str,
    info: ObjectInfo,
    look: FirstLook,
    *,
    user: User,
    actor: str,
) -> Finished:
    """Write in one transaction all that an upload becomes."""
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        row = upload_sessions.get(session, session_id, lock=True)
        if row is None:
            raise not_found()
        if row.state is SessionState.FINISHED:  # another process was faster
            return _finished(session, row, is_new=False)
        if row.state is not SessionState.FINISHING:
            raise wrong_state(row)
        media = add_media(
            session, row, user=user, now=now, file_name=look.file_name, identity=info.identity
        )
        post = give_to_post(session, row, media, user=user, now=now, actor=actor)
        if row.quota_day is not None:
            quotas.take(
                session,
                row.user_id,
                row.quota_day,
                uploads=row.reserved_uploads,
                reserved_bytes=row.reserved_bytes,
                taken_bytes=info.size_bytes,
            )
        row.reserved_uploads = row.reserved_bytes = 0
        row.media_id = media.id
        row.post_id = None if post is None else post.id
        upload_sessions.move(session, session_id, SessionState.FINISHED, now=now)
        return Finished(media, post, is_new=True)


def _finished(session: Session, row: UploadSession, *, is_new: bool) -> Finished:
    media = session.get_one(Media, row.media_id)
    post = None if row.post_id is None else session.get_one(Post, row.post_id)
    return Finished(media, post, is_new=is_new)


def _reopen(workspace: Workspace, row: UploadSession) -> None:
    """Let the sender of an upload mend what stood in its way, unless somebody else moved it."""
    with workspace.ledger.write() as session:
        current = upload_sessions.get(session, row.id, lock=True)
        if current is not None and current.state is SessionState.FINISHING:
            now = workspace.ledger.now()
            upload_sessions.move(session, row.id, SessionState.OPEN, now=now)


def _give_up(
    workspace: Workspace, row: UploadSession, refused: MediaRejectedError
) -> ReelflowError:
    """End an upload whose file is not what it was announced as; return what to raise."""
    error = {
        "reason": refused.code,
        "message": str(refused),
        "violations": refused.violations,
    }
    with workspace.ledger.write() as session:
        current = upload_sessions.get(session, row.id, lock=True)
        if current is None:
            return not_found()
        if current.state is not SessionState.FINISHING:
            return wrong_state(current)
        now = workspace.ledger.now()
        end(session, row.id, SessionState.CANCELLED, now=now, error=error)
    discard(workspace, current)
    return refused


def _refusal(row: UploadSession) -> MediaRejectedError:
    """Return once more why an upload ended."""
    assert row.error is not None
    return MediaRejectedError(
        row.error["message"], code=row.error["reason"], violations=row.error["violations"]
    )
