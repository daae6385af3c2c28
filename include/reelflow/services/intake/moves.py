"""Taking registered files out of the inbox, and finishing what a crash left undone of that."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reelflow.digest import sha256_file
from reelflow.domain.post import PostKind, PostState
from reelflow.exceptions import ReelflowError
from reelflow.ledger import damage, photo_images, posts
from reelflow.ledger.models import Media, Post
from reelflow.services.intake.prepare import content_sha256
from reelflow.services.intake.rejection import try_quarantine
from reelflow.services.workspace import Workspace
from reelflow.storage.local import Taking

log = logging.getLogger(__name__)


def finish_moves(workspace: Workspace, *, actor: str) -> None:
    """Finish what a crash between registering files and moving them left undone."""
    with workspace.ledger.read() as session:
        waiting = photo_images.posts_in_inbox(session)
    for post_id in waiting:
        try:
            finish_move(workspace, post_id, actor=actor)
        except damage.UNREADABLE as exc:
            with workspace.ledger.read() as session:
                trouble = damage.explained(session, post_id, exc)
            log.error("the files of post %d stay in the inbox: %s", post_id, trouble)


def finish_move(workspace: Workspace, post_id: int, *, actor: str) -> None:
    """Take a registered post's files out of the inbox, and do what its state asks for."""
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        files = photo_images.media_of(session, post)
    try:
        taken = _take(workspace, post, files)
    except (OSError, ReelflowError) as exc:
        _postpone(workspace, post, exc)
        return
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        for media in files:
            session.get_one(Media, media.id).moved_at = now
        if not taken:
            _cancel_vanished(workspace, session, post, files, now=now, actor=actor)
        # Of a move that failed before.
        posts.get(session, post_id, lock=True).rescheduled_because = None
    if taken and post.state is PostState.REJECTED:
        try_quarantine(workspace, post_id)
    elif taken and post.state is PostState.HELD:
        _try_remember_content(workspace, post_id)


def _take(workspace: Workspace, post: Post, files: Sequence[Media]) -> bool:
    if post.kind is PostKind.PHOTO:
        return workspace.folders.take_photos(
            [
                Taking(m.inbox_path, m.source_path, m.inbox_inode, m.size_bytes, m.mtime_ns)
                for m in files
            ]
        )
    (media,) = files
    return workspace.folders.take(
        media.inbox_path,
        media.source_path,
        inode=media.inbox_inode,
        size_bytes=media.size_bytes,
        mtime_ns=media.mtime_ns,
    )


def _cancel_vanished(
    workspace: Workspace,
    session: Session,
    post: Post,
    files: Sequence[Media],
    *,
    now: datetime,
    actor: str,
) -> None:
    for media in files:
        if not _lies_there(workspace.folders.path(media.source_path)):
            session.get_one(Media, media.id).deleted_at = now
    if posts.get(session, post.id, lock=True).state not in (PostState.HELD, PostState.READY):
        return
    is_photo = post.kind is PostKind.PHOTO
    posts.move(
        session,
        post.id,
        PostState.CANCELLED,
        now=now,
        actor=actor,
        why=f"{'one of its images' if is_photo else 'its file'} left the inbox, or changed, "
        "before it could be taken",
        fix=f"put {'the folder with all its images' if is_photo else 'the file'} into the inbox "
        "again",
    )


def _lies_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _try_remember_content(workspace: Workspace, post_id: int) -> None:
    try:
        _remember_content(workspace, post_id)
    except IntegrityError:
        # They became another post between our look and our write, as `validate` finds, too.
        log.info("the bytes of post %d are another post's by now", post_id)
    except (OSError, ReelflowError) as exc:
        log.error("the file of post %d cannot be read yet: %s", post_id, exc)


def _remember_content(workspace: Workspace, post_id: int) -> None:
    """Hash a held post's files now, so that the same bytes with a privacy level complete it."""
    with workspace.ledger.read() as session:
        files = photo_images.media_of(session, posts.get(session, post_id))
    sources = [workspace.folders.path(media.source_path) for media in files]
    if any(not source.is_file() or source.is_symlink() for source in sources):
        return
    hashes = [sha256_file(source) for source in sources]
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        for media, sha256 in zip(files, hashes, strict=True):
            session.get_one(Media, media.id).sha256 = sha256
        content = content_sha256(session, post)
        if not posts.with_content(
            session, account_id=post.account_id, sha256=content, but_not=post_id
        ):
            post.sha256 = content


def _postpone(workspace: Workspace, post: Post, exc: OSError | ReelflowError) -> None:
    """Let a post whose files cannot be moved wait, without stopping the others."""
    why = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
    trouble = f"{post.media.file_name} cannot be moved out of the inbox: {why}"
    log.error("%s; it is tried again", trouble)
    next_try = workspace.ledger.now() + workspace.rules.unreachable_retry
    with workspace.ledger.write() as session:
        waiting = posts.get(session, post.id, lock=True)
        if waiting.state is PostState.READY:
            waiting.due_at = max(waiting.due_at, next_try)
            waiting.rescheduled_because = f"next try at {waiting.due_at:%H:%M:%S} UTC: {trouble}"
