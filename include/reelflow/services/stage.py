"""How every stage begins: it asks the ledger whether there is still something to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from reelflow.domain.post import PostState
from reelflow.domain.sentence import as_sentence
from reelflow.exceptions import (
    MediaRejectedError,
    MediaUnreadableError,
    PostNotTakeableError,
    ReelflowError,
    SourceChangedError,
)
from reelflow.ledger import audit, photo_images, posts
from reelflow.ledger.models import Media, Post
from reelflow.services.workspace import Workspace
from reelflow.source import file_identity

_NOT_FOR_A_RUN: Final = frozenset(
    {
        PostState.HELD,
        PostState.CANCELLED,
        PostState.MISSED,
        PostState.FAILED,
        PostState.UNKNOWN,
    }
)


def begin(workspace: Workspace, post_id: int, *, run_id: str) -> Post:
    """Return the post, with the run's claim on it renewed.

    :raises PostNotTakeableError: it is in a state in which a run leaves it alone
    :raises MediaRejectedError: it was rejected already, for the same reasons as then
    """
    ledger = workspace.ledger
    now = ledger.now()
    with ledger.write() as session:
        posts.claim(session, [post_id], run_id=run_id, now=now, claim=workspace.rules.claim)
        post = posts.get(session, post_id)
    if post.state is PostState.REJECTED:
        raise MediaRejectedError(
            f"post {post_id} ({photo_images.name_of(post)}) is rejected: "
            f"{as_sentence(post.reason)} {post.fix}",
            violations=post.media.violations or [],
        )
    if post.state is PostState.READY and post.media.moved_at is None:
        trouble = post.rescheduled_because or "a later run takes it"
        raise PostNotTakeableError(f"the file of post {post_id} is still in the inbox: {trouble}")
    if post.state in _NOT_FOR_A_RUN:
        advice = f" {post.fix}" if post.fix else ""
        raise PostNotTakeableError(
            f"post {post_id} is {post.state}: {as_sentence(post.reason)}{advice}"
        )
    return post


def postpone(workspace: Workspace, post_id: int, exc: ReelflowError, *, actor: str) -> None:
    """Write down why a stage could not do its work, and keep the post from the very next runs.

    It is no reschedule: the run fails, because what stands in the way (a missing library, a wrong
    connection) is for a person to mend. A post that has a time for its next try keeps it.
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        if post.state is not PostState.READY or post.due_at > now:
            return
        post.due_at = now + workspace.rules.unreachable_retry
        post.rescheduled_because = None  # of an earlier failure; this one is no reschedule
        post.reason, post.reason_code, post.fix = str(exc), exc.code, None
        audit.record(
            session, post_id=post_id, at=now, actor=actor, why=f"kept for a later run: {exc}"
        )


def source_path(workspace: Workspace, post: Post) -> Path:
    """Return where the post's video lies, as :func:`media_path` finds it."""
    return media_path(workspace, post.media, post_id=post.id)


def media_path(workspace: Workspace, media: Media, *, post_id: int) -> Path:
    """Return where one of the post's files lies.

    The ledger is read again when the source is not where it was: another stage may have moved it.

    :raises MediaUnreadableError: it is gone
    """
    path = workspace.folders.path(media.source_path)
    if path.exists():
        return path
    with workspace.ledger.read() as session:
        again = session.get_one(Media, media.id)
    path = workspace.folders.path(again.source_path)
    if path.exists():
        return path
    raise MediaUnreadableError(
        f"the source of post {post_id} ({media.file_name}) is gone from the data folder: "
        "put the file into the inbox again"
    )


def check_unchanged(status: os.stat_result, media: Media) -> None:
    """Raise unless a source still is the file that the ledger knows.

    :raises SourceChangedError: its size or modification time is another
    """
    if file_identity(status)[1:] == (media.size_bytes, media.mtime_ns):
        return
    if status.st_size != media.size_bytes:
        what = f"it had {media.size_bytes} bytes and has {status.st_size}"
    else:
        what = "its time of modification is another, its size is as it was"
    raise SourceChangedError(f"{media.file_name} changed after it was taken from the inbox: {what}")
