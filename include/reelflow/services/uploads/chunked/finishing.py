"""What finishing an upload does once nothing more may come: storage, first look, rows.

Every step can be done again, by any process: whoever finds a session FINISHING goes on with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.content_types import MediaType
from reelflow.domain.upload_session import ENDED, SessionState
from reelflow.domain.user import User
from reelflow.exceptions import (
    ConfigurationError,
    ContentMismatchError,
    MediaRejectedError,
    ObjectExistsError,
    ObjectNotFoundError,
    ReelflowError,
    SourceChangedError,
    TerminalError,
    UploadNotFoundError,
)
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Media, Post
from reelflow.media.sniff import HEAD_BYTES
from reelflow.services.uploads.chunked.sessions import (
    key_of_file,
    not_found,
    upload_of,
    wrong_state,
)
from reelflow.services.uploads.endings import discard, end, end_with_file
from reelflow.services.uploads.first_look import FirstLook, look_at, refuse_broken
from reelflow.services.uploads.wishes import add_media, give_to_post, wanted_of
from reelflow.services.workspace import Workspace
from reelflow.storage.base import ObjectInfo

#: Why a session has no file of its own: the bytes are a post's already.
SAME_BYTES: Final = "same_bytes"


@dataclass(frozen=True)
class Finished:
    """What an upload became.

    :param media: its own, or that of the post which the same bytes are already
    :param is_new: whether it became that now
    """

    media: Media
    post: Post | None
    is_new: bool


def finish(workspace: Workspace, session_id: str, *, user: User, actor: str) -> Finished:
    """Go on with a session that is being finished, wherever it stands.

    What its sender can mend leads back to OPEN; it stays FINISHING when trying again may help.

    :param user: in whose name its post is made
    :raises MediaRejectedError: ``not_this_media``: the upload has ended, and its file is gone
    :raises ReelflowError: its post cannot be made, or storage cannot do it now
    """
    with workspace.ledger.read() as session:
        row = upload_sessions.get(session, session_id)
        done = _done_before(session, row)
    if done is not None:
        return done
    assert row is not None
    try:
        return _carry_through(workspace, row, user=user, actor=actor)
    except ReelflowError:
        _drop_if_ended(workspace, row)
        raise


def _carry_through(workspace: Workspace, row: UploadSession, *, user: User, actor: str) -> Finished:
    """Do the steps that are left, or those that lead back from where one cannot be done."""
    try:
        info = _complete(workspace, row)
        look = _look(workspace, row, info)
        refuse_broken([look])
        done = _write_rows(workspace, row.id, info, look, user=user, actor=actor)
    except MediaRejectedError as exc:
        raise _give_up(workspace, row, exc) from exc
    except ConfigurationError:
        raise  # nothing that its sender can mend
    except TerminalError:
        _reopen(workspace, row)
        raise
    if not done.is_new:
        _discard_copy(workspace, row.id)
    return done


def _drop_if_ended(workspace: Workspace, row: UploadSession) -> None:
    """Delete the object of a session that ended without a file meanwhile.

    Storage may have put it together only after whoever ended the session had deleted it.
    """
    with workspace.ledger.read() as session:
        current = upload_sessions.get(session, row.id)
        has_ended = current is None or current.state in ENDED
        is_a_file = session.get(Media, row.id) is not None
    if has_ended and not is_a_file:
        workspace.folders.store.delete(key_of_file(row))


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
    try:
        with workspace.folders.open(info.key, identity=info.identity) as source:
            head = source.read_at(0, HEAD_BYTES)
    except (ObjectNotFoundError, SourceChangedError):
        raise not_found() from None  # it was cancelled just now
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
        done = _done_before(session, row)  # by another process that was faster
        if done is not None:
            return done
        assert row is not None
        media = add_media(
            session, row, user=user, now=now, file_name=look.file_name, identity=info.identity
        )
        given = give_to_post(session, row, media, wanted_of(row), user=user, now=now, actor=actor)
        if given is not None and not given.created:
            return _same_as(session, row, media, given.post, now=now)
        post = None if given is None else given.post
        end_with_file(session, media, post, now=now)
        return Finished(media, post, is_new=True)


def _same_as(
    session: Session, row: UploadSession, media: Media, post: Post, *, now: datetime
) -> Finished:
    """End a session whose bytes are a post already: that one's file stays, this one goes."""
    session.delete(media)
    session.flush()
    error = {"reason": SAME_BYTES, "message": f"the same bytes are post {post.id} already"}
    end(session, row.id, SessionState.CANCELLED, now=now, error=error)
    row.media_id, row.post_id = post.media_id, post.id
    return Finished(post.media, post, is_new=False)


def _discard_copy(workspace: Workspace, session_id: str) -> None:
    """Delete what a session stored whose bytes are a post already."""
    with workspace.ledger.read() as session:
        row = upload_sessions.get(session, session_id)
    if row is not None and row.state is SessionState.CANCELLED:
        discard(workspace, row)


def _done_before(session: Session, row: UploadSession | None) -> Finished | None:
    """Return what a session became before; None while it is being finished.

    :raises ReelflowError: it ended otherwise, or is open
    """
    if row is None:
        raise not_found()
    if row.media_id is not None:
        post = None if row.post_id is None else session.get_one(Post, row.post_id)
        return Finished(session.get_one(Media, row.media_id), post, is_new=False)
    if row.state is SessionState.CANCELLED and row.error is not None:
        raise MediaRejectedError(
            row.error["message"], code=row.error["reason"], violations=row.error["violations"]
        )
    if row.state is not SessionState.FINISHING:
        raise wrong_state(row)
    return None


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
