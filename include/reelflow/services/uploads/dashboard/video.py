"""The videos of the dashboard: judged, stored, recorded and given to content analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from reelflow.analysis.base import Engine
from reelflow.domain.analysis import AnalysisEngine
from reelflow.domain.content_types import MediaType
from reelflow.domain.ids import is_id
from reelflow.domain.media import publishing_violations
from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.upload_session import SessionKind, SessionState
from reelflow.domain.user import User
from reelflow.domain.violation import in_lines
from reelflow.exceptions import (
    MediaRejectedError,
    TerminalError,
)
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Media
from reelflow.media.inspection import inspect_source
from reelflow.media.repair_line import repair_line
from reelflow.services import quotas
from reelflow.services.intake.submit import new_media
from reelflow.services.uploads.dashboard.detection import Detection, detect
from reelflow.services.uploads.dashboard.sessions import locked, not_found, takes_file
from reelflow.services.uploads.endings import end_with_file
from reelflow.services.uploads.first_look import NOT_THIS_MEDIA, FirstLook, refuse_broken
from reelflow.services.uploads.whole.files import WholeFile
from reelflow.services.workspace import Workspace
from reelflow.source import FileSource
from reelflow.storage.base import PresigningStore
from reelflow.storage.folders import dashboard_key

_URL_LIFETIME_S: Final = 3600


@dataclass(frozen=True)
class Video:
    """A video that was stored, and what is known of it.

    :param object_name: what it is called where it is stored
    :param url: from which it can be fetched for an hour; None where a store has no URLs, or the
        video is not there any more
    :param opened_at: when its session was opened
    """

    media: Media
    container: str
    object_name: str
    url: str | None
    opened_at: datetime
    detection: Detection


def keep_video(
    workspace: Workspace,
    user: User,
    session_id: str,
    file: WholeFile,
    engines: Mapping[AnalysisEngine, Engine],
) -> Video:
    """Store the video that came by a session, and begin its analysis.

    Until the end of this the session is FINISHING; what raises here leaves it so, and everything
    that was done to :func:`~reelflow.services.uploads.dashboard.sessions.give_up`.

    :raises MediaRejectedError: it is no video that can be published; code ``not_this_media``
    :raises TerminalError: the session was given up meanwhile; ``session_not_found``
    :raises QuotaExceededError: it is larger than what was reserved, and than what is left
    :raises ReelflowError: it cannot be stored, or the engine not be asked
    """
    look = file.look(MediaType.VIDEO, workspace.rules.house)
    refuse_broken([look])
    facts = _measure(workspace, file, look)
    media = _store(workspace, user, session_id, file, look, facts)
    try:
        detection = detect(workspace, media, engines)
    except Exception as exc:
        with workspace.ledger.read() as session:
            if not takes_file(upload_sessions.get(session, session_id)):
                raise not_found() from exc
        raise
    row = _finish(workspace, media)
    return _video(workspace, media, row, detection)


def find_video(
    workspace: Workspace, user: User, video_id: str, engines: Mapping[AnalysisEngine, Engine]
) -> Video:
    """Return a video of a user's, or of anybody's to an admin, with what its engine says by now.

    :raises TerminalError: there is none; ``video_not_found``
    """
    with workspace.ledger.read() as session:
        row = upload_sessions.get(session, video_id) if is_id(video_id) else None
        media = session.get(Media, video_id) if row is not None else None
        is_theirs = row is not None and user.owns(row.user_id)
        if row is None or media is None or not is_theirs or not _is_finished(row):
            raise TerminalError("there is no such video", code="video_not_found")
    return _video(workspace, media, row, detect(workspace, media, engines, is_patient=True))


def _is_finished(row: UploadSession) -> bool:
    return row.kind is SessionKind.DASHBOARD and row.state is SessionState.FINISHED


def _measure(workspace: Workspace, file: WholeFile, look: FirstLook) -> MediaFacts:
    """Look into the whole file, and refuse what validating it would refuse."""
    facts = inspect_source(FileSource(file.spool.content().fileno(), look.file_name))
    house = workspace.rules.house
    broken = publishing_violations(facts, look.file_name, repair_line, house)
    if broken:
        violations = [violation.as_dict() for violation in broken]
        raise MediaRejectedError(
            f"this video is not taken in:\n{in_lines(violations)}",
            code=NOT_THIS_MEDIA,
            violations=violations,
        )
    return facts


def _store(
    workspace: Workspace,
    user: User,
    session_id: str,
    file: WholeFile,
    look: FirstLook,
    facts: MediaFacts,
) -> Media:
    """Store the file and write its record; its key is written down before it is there."""
    spool = file.spool
    key = dashboard_key(user.id, session_id, look.extension)
    with workspace.ledger.write() as session:
        row = locked(session, session_id)
        row.storage_key, row.file_name = key, look.file_name
        row.content_type, row.size_bytes = look.content_type, spool.size_bytes
        _reserve_size(session, row, spool.size_bytes, now=workspace.ledger.now())
    info = workspace.folders.store.put(
        key,
        spool.content(),
        size_bytes=spool.size_bytes,
        sha256=spool.sha256,
        only_if_absent=True,
        content_type=look.content_type,
    )
    with workspace.ledger.write() as session:
        if takes_file(upload_sessions.get(session, session_id, lock=True)):
            media = new_media(
                session,
                media_id=session_id,
                user=user,
                file_name=look.file_name,
                key=key,
                identity=info.identity,
                size_bytes=spool.size_bytes,
                declared_sha256=None,
                now=workspace.ledger.now(),
            )
            media.sha256, media.facts = spool.sha256, facts.as_dict()
            session.flush()
            return media
    # Whoever gave the session up came before the file was there.
    workspace.folders.store.delete(key)
    raise not_found()


def _reserve_size(session: Session, row: UploadSession, size_bytes: int, *, now: datetime) -> None:
    """Reserve what a file has, now that this is known; no more than was certain is yet."""
    assert row.quota_day is not None
    quotas.resize(
        session,
        row.user_id,
        row.quota_day,
        reserved_bytes=row.reserved_bytes,
        size_bytes=size_bytes,
        now=now,
    )
    row.reserved_bytes = size_bytes


def _finish(workspace: Workspace, media: Media) -> UploadSession:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        locked(session, media.id)
        return end_with_file(session, media, now=now)


def _video(workspace: Workspace, media: Media, row: UploadSession, detection: Detection) -> Video:
    store = workspace.folders.store
    key, facts = media.source_path, media.facts or {}
    name, url = key, None
    if isinstance(store, PresigningStore):
        name = store.object_name(key)
        if media.deleted_at is None:
            url = store.presigned_get(key, lifetime_s=_URL_LIFETIME_S)
    return Video(media, str(facts.get("container", "")), name, url, row.created_at, detection)
