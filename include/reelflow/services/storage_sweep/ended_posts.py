"""Files of posts that were rejected, failed or were cancelled, once their retention time is over.

They go as if their user had deleted them: marked in the ledger, so that no post takes them any
more, and only then deleted in the store. What fails in between is found again, and finished by
the sweep of uploads as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, String, case, func, or_, select, type_coerce, union
from sqlalchemy.orm import Session

from reelflow.domain.post import DONE
from reelflow.ledger import audit, photo_images, upload_sessions
from reelflow.ledger.models import Media, PhotoImage, Post
from reelflow.services.storage_sweep.found import Found, Reason
from reelflow.services.uploads.media import ALLOW_DELETION, delete_objects
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import QUARANTINE


def find_ended(workspace: Workspace, *, limit: int) -> list[Found]:
    """Return files that no post needs any more, those first that were needed the longest ago."""
    before = workspace.ledger.now() - workspace.rules.retention
    with workspace.ledger.read() as session:
        rows = session.execute(_ended(before).limit(limit)).all()
        begun = upload_sessions.going_on(session, [media_id for media_id, _ in rows])
        return [
            _found(session, session.get_one(Media, media_id), since)
            for media_id, since in rows
            if media_id not in begun
        ]


def delete_ended(workspace: Workspace, found: Found, *, actor: str) -> bool:
    """Delete a file that was found; False if somebody needs it again, or it is gone.

    Whoever makes a post of it, or tries one again, holds the file's row meanwhile, as this does.
    """
    assert found.media_id is not None
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        # Posts before files, in the order of their ids, as everybody locks them.
        on_it = select(Post).where(Post.id.in_(found.post_ids)).order_by(Post.id)
        held = session.scalars(on_it.with_for_update(of=Post)).unique().all()
        media = session.get_one(Media, found.media_id, with_for_update=True, populate_existing=True)
        before = now - workspace.rules.retention
        is_still = session.execute(_ended(before).where(Media.id == media.id)).one_or_none()
        if is_still is None or upload_sessions.going_on(session, [media.id]):
            return False
        if [post.id for post in held] != list(photo_images.states_with(session, media.id)):
            return False  # another post is on it: the next sweep locks that one as well
        if media.deleted_at is None:
            _mark(session, media, held, kept=workspace.rules.retention, now=now, actor=actor)
    delete_objects(workspace, media)
    return True


def _mark(
    session: Session,
    media: Media,
    on_it: Sequence[Post],
    *,
    kept: timedelta,
    now: datetime,
    actor: str,
) -> None:
    """Take a file away from its posts, and tell their stories so.

    A post without any file has nothing left that is to be moved or deleted.
    """
    media.deleted_at = media.deleting_since = now
    session.flush()
    days = f"{kept / timedelta(days=1):g} days"
    why = f"its file {media.file_name} was deleted: its last post ended over {days} ago"
    for post in on_it:
        audit.record(session, post_id=post.id, at=now, actor=actor, why=why)
        if all(one.deleted_at is not None for one in photo_images.media_of(session, post)):
            post.source_settled_at = post.source_settled_at or now


def _ended(before: datetime) -> Select[str, datetime]:
    """Select the ids of files all of whose posts ended before a time, and when the last one did.

    Files whose posts are all done are left to the runs that publish. What still lies in the inbox
    is not ours yet, and a state that there is not is one that needs its file.
    """
    on_files = union(
        select(Post.media_id.label("media_id"), Post.id.label("post_id")),
        select(PhotoImage.media_id, PhotoImage.post_id),
    ).subquery()
    state, ended = type_coerce(Post.state, String()), func.max(Post.state_since)
    needs_it = case((state.in_(sorted(ALLOW_DELETION)), 0), else_=1)
    is_kept = case((state.in_(sorted(ALLOW_DELETION - DONE)), 1), else_=0)
    is_there = or_(Media.deleted_at.is_(None), Media.deleting_since.is_not(None))
    return (
        select(Media.id, ended)
        .join(on_files, on_files.c.media_id == Media.id)
        .join(Post, Post.id == on_files.c.post_id)
        .where(is_there, Media.moved_at.is_not(None), ~Media.awaited)
        .group_by(Media.id)
        .having(func.sum(needs_it) == 0, func.sum(is_kept) > 0, ended < before)
        .order_by(ended, Media.id)
    )


def _found(session: Session, media: Media, since: datetime) -> Found:
    in_quarantine = media.source_path.startswith(f"{QUARANTINE}/")
    posts: Sequence[int] = list(photo_images.states_with(session, media.id))
    reason = Reason.QUARANTINE if in_quarantine else Reason.RETENTION
    return Found(media.source_path, media.size_bytes, reason, since, media.id, posts)
