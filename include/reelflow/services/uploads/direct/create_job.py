"""Making a job of a file that a browser put into the bucket: looked at, recorded, and posted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from reelflow.domain.content_types import MediaType
from reelflow.domain.ids import is_id
from reelflow.domain.upload_session import SessionKind, SessionState
from reelflow.domain.user import User
from reelflow.domain.violation import Violation
from reelflow.exceptions import (
    MediaRejectedError,
    ObjectNotFoundError,
    SourceChangedError,
    TerminalError,
)
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Media, Post
from reelflow.media.sniff import HEAD_BYTES
from reelflow.services.intake.house_policy import form_policy
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.submit import create_post, new_media
from reelflow.services.uploads.direct.presigned import bucket_of
from reelflow.services.uploads.endings import discard, end, end_with_file
from reelflow.services.uploads.first_look import NOT_THIS_MEDIA, FirstLook, look_at, refuse_broken
from reelflow.services.workspace import Workspace


@dataclass(frozen=True)
class Job:
    """A direct upload whose file is here.

    :param created: False when it was made before
    """

    job_id: str
    media: Media
    post: Post
    created: bool


@dataclass(frozen=True)
class _Arrived:
    """What lies under the key of a job.

    :param identity: which content was looked at
    """

    look: FirstLook
    size_bytes: int
    identity: str


def create_job(
    workspace: Workspace,
    user: User,
    *,
    job_id: str,
    s3_key: str,
    media_type: MediaType,
    wish: Mapping[str, Any],
) -> Job:
    """Make a record and a post of the file of a direct upload; again gives what was made.

    Nothing is written before all is checked, and then all at once.

    :param wish: the post, as :meth:`PostWish.parse` reads it
    :raises MediaRejectedError: the file is not what was announced (code ``not_this_media``); it is
        deleted, and the upload has ended
    :raises TerminalError: nobody knows the job, or it is somebody else's (``job_not_found``);
        key or type are not the job's (``job_differs``); the file is not there yet
        (``object_missing``); the post cannot be made, for a reason of its own
    """
    with workspace.ledger.read() as session:
        row = _find(session, user, job_id)
        _check_same(workspace, row, s3_key, media_type)
        if row.state is SessionState.FINISHED:
            return _made(session, row)
    parsed = PostWish.parse(wish, media_type)
    try:
        arrived = _examine(workspace, row)
    except MediaRejectedError as exc:
        _refuse(workspace, row, exc)
        raise
    return _record(workspace, user, row, arrived, parsed)


def _find(session: Session, user: User, job_id: str, *, lock: bool = False) -> UploadSession:
    """Return the upload of a job that may be made, or was.

    :raises MediaRejectedError: its file was refused before, for the same reasons as then
    """
    row = upload_sessions.get(session, job_id, lock=lock) if is_id(job_id) else None
    if row is None or row.kind is not SessionKind.PRESIGNED or row.user_id != user.id:
        raise _not_found()
    if row.state is SessionState.CANCELLED and row.error is not None:
        refused = row.error
        raise MediaRejectedError(
            refused["message"], code=NOT_THIS_MEDIA, violations=refused["violations"]
        )
    if row.state in (SessionState.CANCELLED, SessionState.EXPIRED):
        raise _not_found()
    return row


def _not_found() -> TerminalError:
    return TerminalError(
        "there is no such job: its time is over, or it never was; ask for a new form",
        code="job_not_found",
    )


def _check_same(
    workspace: Workspace, row: UploadSession, s3_key: str, media_type: MediaType
) -> None:
    known = {
        "s3_key": (s3_key, bucket_of(workspace).object_name(_key(row))),
        "file_type": (media_type.value, row.media_type),
    }
    wrong = [name for name, (given, right) in known.items() if given != right]
    if wrong:
        raise TerminalError(
            f"{' and '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} not what was given with "
            "this job_id: send them as the form came with them",
            code="job_differs",
            fields=wrong,
        )


def _key(row: UploadSession) -> str:
    assert row.storage_key is not None
    return row.storage_key


def _made(session: Session, row: UploadSession) -> Job:
    media = session.get_one(Media, row.id)
    return Job(row.id, media, session.get_one(Post, row.post_id), created=False)


def _examine(workspace: Workspace, row: UploadSession) -> _Arrived:
    """Look at what lies in the bucket: storage holds a form to its policy, and we to our word."""
    key = _key(row)
    info = workspace.folders.store.stat(key)
    try:
        if info is None:
            raise ObjectNotFoundError(f"nothing is at {key}", key=key)
        with workspace.folders.open(key, identity=info.identity) as source:
            head = source.read_at(0, HEAD_BYTES)
    except (ObjectNotFoundError, SourceChangedError) as exc:
        raise TerminalError(
            "the file of this job is not in the bucket, or another one came just now: send it with "
            "the form, wait for storage's answer, then create the job",
            code="object_missing",
        ) from exc
    look = look_at(
        head,
        size_bytes=info.size_bytes,
        file_name=row.file_name,
        media_type=MediaType(row.media_type),
        declared_type=row.content_type,
        house=form_policy(workspace.rules.house),
    )
    if info.size_bytes != row.size_bytes:
        look = dataclasses.replace(look, violations=[_other_size(row, info.size_bytes)])
    refuse_broken([look])
    return _Arrived(look, info.size_bytes, info.identity)


def _other_size(row: UploadSession, size_bytes: int) -> Violation:
    return Violation(
        "file_size",
        f"{size_bytes} bytes",
        f"{row.size_bytes} bytes, as announced",
        "ask for a new form with the size of the file",
    )


def _refuse(workspace: Workspace, row: UploadSession, exc: MediaRejectedError) -> None:
    """End an upload whose file is not what was announced; who asks again is told the same."""
    told = {"message": exc.message, "violations": exc.violations}
    with workspace.ledger.write() as session:
        ended = upload_sessions.get(session, row.id, lock=True)
        if ended is None or ended.state is not SessionState.OPEN:
            return
        end(session, row.id, SessionState.CANCELLED, now=workspace.ledger.now(), error=told)
    discard(workspace, ended, begun=())


def _record(
    workspace: Workspace, user: User, opened: UploadSession, arrived: _Arrived, wish: PostWish
) -> Job:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        row = _find(session, user, opened.id, lock=True)
        if row.state is SessionState.FINISHED:  # another request was faster
            return _made(session, row)
        media = new_media(
            session,
            media_id=row.id,
            user=user,
            file_name=arrived.look.file_name,
            key=_key(row),
            identity=arrived.identity,
            size_bytes=arrived.size_bytes,
            declared_sha256=None,
            now=now,
            by_form=True,
        )
        made = create_post(session, user=user, wish=wish, media=[media], now=now, actor=user.actor)
        upload_sessions.move(session, row.id, SessionState.FINISHING, now=now)
        end_with_file(session, media, made.post, now=now)
        return Job(row.id, media, made.post, created=True)
