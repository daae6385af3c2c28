"""Runs the stages' statements once, on a post that is taken back, before a process forks its tasks.

SQLAlchemy compiles a statement when an engine first runs it. A task that is forked afterwards finds
it compiled; those of one post would else spend a fifth of a second of CPU on it.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.budget import Call
from reelflow.domain.chunks import ChunkPlan
from reelflow.domain.post import PostMode, PostState
from reelflow.domain.publication import PublicationState
from reelflow.ledger import (
    accounts,
    breaker,
    call_windows,
    claims,
    photo_images,
    posts,
    publications,
    verdicts,
    webhook_events,
)
from reelflow.ledger.models import Base, Media, Post
from reelflow.ledger.rehearsal import rehearsed
from reelflow.services.workspace import Workspace

_ACTOR: Final = "warm-up"
_LATER: Final = timedelta(hours=1)
_MEASURED: Final = {
    "container": "mp4",
    "duration_s": 1.0,
    "display_width": 2,
    "display_height": 2,
    "video_codec": "h264",
    "average_frame_rate": 1.0,
}


def warm_up(workspace: Workspace) -> None:
    """Run the statements; nobody sees the rows that they are run on, and none is left.

    :raises LedgerLockedError: the ledger stayed locked, or cannot be reached
    """
    ledger = workspace.ledger
    with ledger.write() as session, rehearsed(session):
        post = _add_post(session, workspace, now=ledger.now())
        _prepare(session, post, workspace, now=ledger.now())
        _publish(session, post, workspace, now=ledger.now())
        _clean_up(session, post, now=ledger.now())


def _add_post(session: Session, workspace: Workspace, *, now: datetime) -> Post:
    name = f"{_ACTOR}-{uuid.uuid4().hex}"
    tokens = accounts.TokenSet("none")
    cipher = workspace.ledger.cipher
    account = accounts.save(session, cipher, open_id=name, name=name, tokens=tokens, now=now)
    media = Media(
        id=uuid.uuid4().hex,
        file_name=name,
        inbox_path=name,
        inbox_identity=_ACTOR,
        source_path=name,
        size_bytes=1,
        created_at=now,
    )
    flags = dict.fromkeys(
        (
            *("disable_comment", "disable_duet", "disable_stitch", "is_aigc", "repost"),
            *("brand_content_toggle", "brand_organic_toggle"),
        ),
        False,
    )
    post = Post(
        account=account,
        media=media,
        state=PostState.READY,
        state_since=now,
        reason=_ACTOR,
        caption="",
        mode=PostMode.DIRECT,
        due_at=now,
        created_at=now,
        **flags,
    )
    session.add(post)
    session.flush()
    return post


def _prepare(session: Session, post: Post, workspace: Workspace, *, now: datetime) -> None:
    """Do what validating, measuring and picturing a file writes."""
    claim = workspace.rules.claim
    claims.claim(session, [post.id], run_id=_ACTOR, now=now, claim=claim)
    for lock in (False, True):
        posts.get(session, post.id, lock=lock)
    photo_images.media_of(session, post)
    photo_images.outline_of(session, post.id)  # the label of each task
    media = session.get_one(Media, post.media_id, populate_existing=True)
    verdicts.engine_asked(session, post.id)
    posts.with_content(session, account_id=post.account_id, sha256="", but_not=post.id)
    _write(session, media, sha256=_ACTOR, facts={}, validated_at=now)
    _write(session, post, sha256=_ACTOR)
    _write(session, media, **_MEASURED, extracted_at=now)
    _write(session, media, thumbnail_path=_ACTOR)


def _publish(session: Session, post: Post, workspace: Workspace, *, now: datetime) -> None:
    """Do what sending a post and hearing of it writes."""
    token = posts.take_lease(session, post.id, owner=_ACTOR, now=now, lease=workspace.rules.lease)
    _step(session, post, PostState.UPLOADING, workspace)
    breaker.get(session)
    for call in (Call.CREATOR_INFO, Call.INIT, Call.STATUS):
        with call_windows.locked(session, [post.account_id], call) as windows:
            windows[post.account_id].called_at_s.append(now.timestamp())
    accounts.get(session, post.account_id)
    account = accounts.get(session, post.account_id, lock=True)
    _write(session, account, username=account.name)  # at an account's first post
    call_windows.counted_publications(
        session, account_id=post.account_id, mode=post.mode, since=now, but_not=post.id
    )
    publication = publications.open_new(session, post.id, plan=ChunkPlan(1, 1, 1), now=now)
    publication.publish_id = post.media.id
    publications.store_upload_url(publication, workspace.ledger.cipher, "https://example.com")
    publication.url_expires_at = now + _LATER
    session.flush()
    _write(session, publication, state=PublicationState.UPLOADING)
    webhook_events.waiting_for(session, post.media.id)
    publications.current(session, post.id)
    _step(session, post, PostState.COMMITTING, workspace)
    _write(session, publication, acknowledged_bytes=1)
    _step(session, post, PostState.PROCESSING, workspace)
    posts.release_lease(session, post.id, fencing_token=token or 0)
    publications.with_publish_id(session, post.id, post.media.id)
    _write(session, publication, tiktok_status="PROCESSING_UPLOAD", tiktok_status_at=now)
    publication.tiktok_status, publication.tiktok_status_at = "PUBLISH_COMPLETE", now + _LATER
    publication.tiktok_post_id = post.media.id
    _write(session, publication, state=PublicationState.DONE)
    _step(session, post, PostState.PUBLISHED, workspace)


def _clean_up(session: Session, post: Post, *, now: datetime) -> None:
    """Do what deleting a file and announcing its post writes."""
    photo_images.states_with(session, post.media_id)
    media = session.get_one(Media, post.media_id, with_for_update=True)
    _write(session, media, deleted_at=now)
    session.get_one(Post, post.id, populate_existing=True)
    _write(session, post, source_settled_at=now)
    posts.note_announced(session, [post.id], now=now)


def _step(session: Session, post: Post, to: PostState, workspace: Workspace) -> None:
    now = workspace.ledger.now()  # another time than that of the step before, or it is not written
    posts.move(session, post.id, to, now=now, actor=_ACTOR, why=f"{_ACTOR}: {to}")


def _write(session: Session, row: Base, **columns: object) -> None:
    """Write columns by a statement of their own."""
    for name, value in columns.items():
        setattr(row, name, value)
    session.flush()
