"""Rejecting a post: its files go to the quarantine with the reasons, and back for a retry."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.post import DONE, UNKEYED, PostKind, PostState
from reelflow.exceptions import MediaUnreadableError, PostNotTakeableError, ReelflowError
from reelflow.ledger import photo_images, posts
from reelflow.ledger.models import Media, Post
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import Kept

log = logging.getLogger(__name__)

#: Why a post is REJECTED whose fields were never read, so that it may not go on as it is.
UNREAD_SIDECAR: Final = "sidecar"

#: A post in these reads its files no more, or not before a person brings them back.
_SETTLED: Final = DONE | (UNKEYED - {PostState.MISSED})


def reject(
    workspace: Workspace,
    post_id: int,
    violations: list[dict[str, str]],
    *,
    actor: str,
    facts: Mapping[str, MediaFacts] | None = None,
) -> None:
    """Make a READY post REJECTED and move its files to the quarantine, beside the reasons.

    One that another run rejected meanwhile keeps the reasons it was given first.

    :param facts: what was measured of its files now, by the id of each; None where nothing was,
        and what is known of them stays
    :raises PostNotTakeableError: it left READY while its files were judged, as when a person
        cancelled it; they are judged again when it is READY again
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        if post.state not in (PostState.READY, PostState.REJECTED):
            raise PostNotTakeableError(f"post {post_id} is {post.state}: {post.reason}")
        if post.state is PostState.READY:
            why = (f"{v['rule']}: {v['value']} (allowed: {v['limit']})" for v in violations)
            posts.move(
                session,
                post_id,
                PostState.REJECTED,
                now=now,
                actor=actor,
                why="; ".join(why),
                code=violations[0]["rule"],
                fix="; ".join(dict.fromkeys(v["fix"] for v in violations)),
            )
            post.media.violations = violations
            if facts is not None:
                _store_facts(session, post, facts)
    try_quarantine(workspace, post_id)


def _store_facts(session: Session, post: Post, facts: Mapping[str, MediaFacts]) -> None:
    for media in photo_images.media_of(session, post):
        measured = facts.get(media.id)
        media.facts = measured.as_dict() if measured else None


def try_quarantine(workspace: Workspace, post_id: int) -> None:
    """Move a rejected post's files to the quarantine; what cannot be moved waits for a sweep."""
    try:
        quarantine(workspace, post_id)
    except ReelflowError as exc:
        log.error(
            "the file of post %d cannot be moved to the quarantine: %s; it is tried again",
            post_id,
            exc,
        )


def quarantine(workspace: Workspace, post_id: int) -> None:
    """Move a rejected post's files to the quarantine.

    Done already is fine, and so is one that a person lets try again by now: its files stay. So do
    files that another post may publish, until that is settled; a later sweep comes back for them.
    """
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        files = photo_images.media_of(session, post)
        is_shared = any(_is_wanted(session, media, but_by=post) for media in files)
    if post.state is not PostState.REJECTED or post.source_settled_at is not None or is_shared:
        return
    moved = post.media.source_path.startswith("quarantine/")
    kept = [] if moved else _set_aside(workspace, post, files)
    with workspace.ledger.write() as session:
        _store_places(session, [] if moved else files, kept)
        session.get_one(Post, post_id).source_settled_at = workspace.ledger.now()


def _is_wanted(session: Session, media: Media, *, but_by: Post) -> bool:
    states = photo_images.states_with(session, media.id)
    return any(states[post_id] not in _SETTLED for post_id in states if post_id != but_by.id)


def _store_places(session: Session, files: Sequence[Media], kept: Sequence[Kept]) -> None:
    for media, place in zip(files, kept, strict=True):
        row = session.get_one(Media, media.id, with_for_update=True)
        row.source_path, row.source_identity = place.key, place.identity
        if row.deleted_at is not None:  # meanwhile, from where it lay before
            row.deleting_since = row.deleting_since or row.deleted_at


def _set_aside(workspace: Workspace, post: Post, files: Sequence[Media]) -> list[Kept]:
    reason: dict[str, object] = {
        "post_id": post.id,
        "account": post.account.name,
        "file": post.media.file_name,
        "rejected_at": post.state_since.isoformat(),
        "violations": post.media.violations,
    }
    if post.reason_code != UNREAD_SIDECAR:
        reason["release"] = f"reelflow posts retry {post.id}"
    sources = [Kept(media.source_path, media.source_identity) for media in files]
    folders, account = workspace.folders, post.account.name
    if post.kind is PostKind.PHOTO:
        reason["files"] = [media.file_name for media in files]
        return folders.set_photos_aside(sources, account=account, post_id=post.id, reason=reason)
    return [folders.set_aside(sources[0], account=account, post_id=post.id, reason=reason)]


def place_of(post: Post) -> str:
    """Return where a post's files lie: of photos the folder, relative to the data folder."""
    path = PurePosixPath(post.media.source_path)
    is_folder = post.kind is PostKind.PHOTO and path.parts[0] == "quarantine"
    return str(path.parent if is_folder else path)


def bring_back(workspace: Workspace, post: Post) -> None:
    """Move a post's files out of the quarantine, if they lie there.

    :raises MediaUnreadableError: one of them is gone
    """
    folders = workspace.folders
    with workspace.ledger.read() as session:
        files = photo_images.media_of(session, post)
    kept = [Kept(media.source_path, media.source_identity) for media in files]
    new = [_source_path(media) for media in files]
    if kept[0].key.startswith("quarantine/"):
        if post.kind is PostKind.PHOTO:
            kept = folders.bring_photos_back(kept, new)
        else:
            kept = [folders.bring_back(kept[0], new[0])]
    for media, place in zip(files, kept, strict=True):
        if folders.store.stat(place.key) is None:
            raise _gone(post, media)
    with workspace.ledger.write() as session:
        _store_places(session, files, kept)


def hold_files(session: Session, post: Post) -> list[Media]:
    """Keep a post's files from being deleted until the transaction ends.

    :raises MediaUnreadableError: one of them was deleted
    """
    files = photo_images.media_of(session, post)
    for media_id in sorted(media.id for media in files):
        row = session.get_one(Media, media_id, with_for_update=True, populate_existing=True)
        if row.deleted_at is not None:
            raise _gone(post, row)
    return files


def _gone(post: Post, media: Media) -> MediaUnreadableError:
    return MediaUnreadableError(
        f"the file of post {post.id} ({media.file_name}) is gone: put it into the inbox again"
    )


def _source_path(media: Media) -> str:
    """Return where a file lies that is not in the quarantine."""
    if not media.source_path.startswith("quarantine/"):
        return media.source_path
    return f"media/{media.id}{PurePosixPath(media.source_path).suffix}"
