"""Taking registered files out of the inbox, and finishing what a crash left undone of that."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reelflow.digest import sha256_of
from reelflow.domain.post import PostKind, PostState
from reelflow.exceptions import MediaUnreadableError, ReelflowError
from reelflow.ledger import damage, photo_images, posts
from reelflow.ledger.models import Media, Post
from reelflow.services.intake.prepare import content_sha256
from reelflow.services.intake.rejection import try_quarantine
from reelflow.services.intake.side_by_side import side_by_side
from reelflow.services.stage import open_media
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import Taking

log = logging.getLogger(__name__)

_Row = TypeVar("_Row", Post, Media)


@dataclass(frozen=True)
class Waiting:
    """A post whose files lie in the inbox, as far as the ledger knows.

    :param may_have_sidecar: False where the run that registered it saw that there is none
    """

    post: Post
    files: Sequence[Media]
    may_have_sidecar: bool = True


@dataclass(frozen=True)
class _Taken:
    """What was taken: the identity of each file where it lies now, or None of one that is gone."""

    post: Post
    files: Sequence[Media]
    identities: Sequence[str | None]

    @property
    def is_whole(self) -> bool:
        return None not in self.identities


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
        waiting = Waiting(post, photo_images.media_of(session, post))
    take_out(workspace, [waiting], actor=actor)


def take_out(workspace: Workspace, waiting: Sequence[Waiting], *, actor: str) -> None:
    """Take the files of posts out of the inbox, all at once, and do what their states ask for."""
    attempts = side_by_side(partial(_try_take, workspace), waiting)
    taken = [
        _Taken(one.post, one.files, identities)
        for one, identities in zip(waiting, attempts, strict=True)
        if identities is not None
    ]
    for one in _write_down(workspace, taken, actor=actor):
        if one.is_whole and one.post.state is PostState.REJECTED:
            try_quarantine(workspace, one.post.id)
        elif one.is_whole and one.post.state is PostState.HELD:
            _try_remember_content(workspace, one.post.id)


def _write_down(workspace: Workspace, taken: Sequence[_Taken], *, actor: str) -> list[_Taken]:
    """Write where files lie now, and return which posts' another run has not taken meanwhile."""
    with workspace.ledger.write() as session:
        # Posts first, and all in one order, or two runs wait for each other.
        locked = _locked(session, Post, {one.post.id for one in taken})
        rows = _locked(session, Media, {media.id for one in taken for media in one.files})
        return [
            one
            for one in taken
            if _write_one(
                session,
                one,
                locked[one.post.id],
                [rows[media.id] for media in one.files],
                now=workspace.ledger.now(),
                actor=actor,
            )
        ]


def _write_one(
    session: Session,
    one: _Taken,
    post: Post,
    rows: Sequence[Media],
    *,
    now: datetime,
    actor: str,
) -> bool:
    if _went_on(rows, one.files, taken=one.is_whole):
        return False
    for row, identity in zip(rows, one.identities, strict=True):
        row.moved_at, row.source_identity = now, identity
        row.deleted_at = row.deleted_at if identity else now
    if not one.is_whole:
        _cancel_vanished(session, post, now=now, actor=actor)
    post.rescheduled_because = None  # of a move that failed before
    return True


def _locked(session: Session, table: type[_Row], ids: Collection[object]) -> dict[object, _Row]:
    """Hold rows until the transaction ends, those of one table in the order of their ids."""
    query = select(table).where(table.id.in_(ids)).order_by(table.id).with_for_update(of=table)
    # A file comes with its post already, as it was before somebody whom that had to wait for.
    found = session.scalars(query.execution_options(populate_existing=True))
    return {row.id: row for row in found}


def _went_on(rows: Sequence[Media], before: Sequence[Media], *, taken: bool) -> bool:
    """Whether another run took a post's files meanwhile, and they lie elsewhere or are gone since.

    :param before: as they were when this run began to take them
    """
    if not all(row.moved_at for row in rows):
        return False
    return not taken or any(
        row.source_path != media.source_path for row, media in zip(rows, before, strict=True)
    )


def _try_take(workspace: Workspace, waiting: Waiting) -> list[str | None] | None:
    """Return the identity of each file where it lies now, None of one that is gone.

    None for all when they cannot be moved; the post then waits, without stopping the others.
    """
    takings = [
        Taking(
            media.inbox_path,
            media.source_path,
            media.inbox_identity,
            may_have_sidecar=waiting.may_have_sidecar,
        )
        for media in waiting.files
    ]
    try:
        if waiting.post.kind is PostKind.PHOTO:
            return workspace.folders.take_photos(takings)
        return [workspace.folders.take(file) for file in takings]
    except ReelflowError as exc:
        _postpone(workspace, waiting.post, exc)
        return None


def _cancel_vanished(session: Session, post: Post, *, now: datetime, actor: str) -> None:
    if post.state not in (PostState.HELD, PostState.READY):
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


def _try_remember_content(workspace: Workspace, post_id: int) -> None:
    try:
        _remember_content(workspace, post_id)
    except IntegrityError:
        # They became another post between our look and our write, as `validate` finds, too.
        log.info("the bytes of post %d are another post's by now", post_id)
    except ReelflowError as exc:
        log.error("the file of post %d cannot be read yet: %s", post_id, exc)


def _remember_content(workspace: Workspace, post_id: int) -> None:
    """Hash a held post's files now, so that the same bytes with a privacy level complete it."""
    with workspace.ledger.read() as session:
        files = photo_images.media_of(session, posts.get(session, post_id))
    try:
        hashes = [_sha256(workspace, media, post_id) for media in files]
    except MediaUnreadableError:
        return  # `validate` says so, when the post goes on
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        for media, sha256 in zip(files, hashes, strict=True):
            session.get_one(Media, media.id).sha256 = sha256
        content = content_sha256(session, post)
        if not posts.with_content(
            session, account_id=post.account_id, sha256=content, but_not=post_id
        ):
            post.sha256 = content


def _sha256(workspace: Workspace, media: Media, post_id: int) -> str:
    with open_media(workspace, media, post_id=post_id) as source:
        return sha256_of(source)


def _postpone(workspace: Workspace, post: Post, exc: ReelflowError) -> None:
    """Let a post whose files cannot be moved wait, without stopping the others."""
    trouble = f"{post.media.file_name} cannot be moved out of the inbox: {exc}"
    log.error("%s; it is tried again", trouble)
    next_try = workspace.ledger.now() + workspace.rules.unreachable_retry
    with workspace.ledger.write() as session:
        waiting = posts.get(session, post.id, lock=True)
        if waiting.state is PostState.READY and waiting.media.moved_at is None:
            waiting.due_at = max(waiting.due_at, next_try)
            waiting.rescheduled_because = (
                f"next try at {waiting.due_at:%Y-%m-%d %H:%M:%S} UTC: {trouble}"
            )
