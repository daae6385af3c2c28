"""What a user may ask of a file: to see it, to have its picture, to delete it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from reelflow.domain.ids import is_id
from reelflow.domain.post import DONE, PostState
from reelflow.domain.user import User
from reelflow.exceptions import ObjectNotFoundError, TerminalError
from reelflow.ledger import photo_images, upload_sessions
from reelflow.ledger.models import Media, Post
from reelflow.services.uploads.going_on import going_on
from reelflow.services.workspace import Workspace
from reelflow.source import Source
from reelflow.storage.folders import thumbnail_key

MEDIA_NOT_FOUND: Final = "media_not_found"
MEDIA_IN_USE: Final = "media_in_use"
NOT_MADE_YET: Final = "not_made_yet"

_FINISHED_AT_ONCE: Final = 100

#: States of a post that needs its file no more: it is at TikTok, or nobody will send it unless a
#: person asks for that.
ALLOW_DELETION: Final = DONE | {PostState.REJECTED, PostState.FAILED, PostState.CANCELLED}


@dataclass(frozen=True)
class OwnedMedia:
    """A file that its user may see.

    :param post_ids: of the user's posts that publish it
    """

    media: Media
    post_ids: Sequence[int]


def find_media(workspace: Workspace, user: User, media_id: str) -> OwnedMedia:
    """Return a file of the user's; of an admin's, anybody's.

    :raises TerminalError: there is none, it was deleted, or it is somebody else's: code
        ``media_not_found`` in all cases
    """
    with workspace.ledger.read() as session:
        media, states = _owned(session, user, media_id)
        return OwnedMedia(media, _theirs(session, user, states))


@contextmanager
def open_thumbnail(workspace: Workspace, user: User, media_id: str) -> Iterator[Source]:
    """Hold the picture of a file open.

    :raises TerminalError: as of :func:`find_media`; code ``not_made_yet``: it has no picture
    """
    media = find_media(workspace, user, media_id).media
    if media.thumbnail_path is None:
        raise not_made_yet(media, "picture")
    try:
        with workspace.folders.open(media.thumbnail_path) as source:
            yield source
    except ObjectNotFoundError as exc:
        raise not_made_yet(media, "picture") from exc


def not_made_yet(media: Media, what: str) -> TerminalError:
    """Return the error for what is asked of a file before its checks have come so far."""
    return TerminalError(
        f"the file {media.id} has no {what} yet: ask again when it was checked, or look at its "
        "record for why it was not",
        code=NOT_MADE_YET,
        media_id=media.id,
    )


def delete_media(workspace: Workspace, user: User, media_id: str) -> None:
    """Delete a file of the user's, with its pictures and its copy; its row stays for its posts.

    From the first step on no post takes it any more. What a crash then leaves of it is deleted by
    another call, or by :func:`finish_deletions`.

    :raises TerminalError: as of :func:`find_media`; code ``media_in_use``: a post may still need it
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        media, states = _owned(session, user, media_id, lock=True)
        needed_by = [post_id for post_id, state in states.items() if state not in ALLOW_DELETION]
        if needed_by:
            raise _in_use(media_id, _theirs(session, user, needed_by), states)
        media.deleted_at = media.deleted_at or now
        media.deleting_since = media.deleting_since or now
    delete_objects(workspace, media)


def finish_deletions(workspace: Workspace) -> list[str]:
    """Delete what crashes left of files that were deleted, whatever posts they have.

    :return: the ids of those of which nothing is left
    """
    with workspace.ledger.read() as session:
        query = select(Media).where(Media.deleting_since.is_not(None))
        unfinished = session.scalars(query.limit(_FINISHED_AT_ONCE)).all()
    finished = []
    for media in unfinished:
        with going_on(f"the file {media.id} was not deleted, or not all of it"):
            delete_objects(workspace, media)
            finished.append(media.id)
    return finished


def delete_objects(workspace: Workspace, media: Media) -> None:
    """Delete all that lies in the store of a file that is marked as deleted, and note that.

    What a crash leaves of it is deleted by :func:`finish_deletions`.
    """
    folders = workspace.folders
    folders.delete_source(media.source_path)
    folders.delete_prepared(media.id)
    folders.delete_candidates([str(one["key"]) for one in media.candidates or ()])
    folders.store.delete(thumbnail_key(media.id))
    with workspace.ledger.write() as session:
        row = session.get_one(Media, media.id, with_for_update=True)
        row.deleting_since = None
        row.source_identity = row.thumbnail_path = row.candidates = None
        row.prepared_path = row.prepared_identity = row.prepared_facts = None


def _owned(
    session: Session, user: User, media_id: str, *, lock: bool = False
) -> tuple[Media, dict[int, str]]:
    """Return a file, and the states of its posts by their ids.

    :param lock: hold its row until the transaction ends, also of one that is half deleted
    """
    media = session.get(Media, media_id, with_for_update=lock) if is_id(media_id) else None
    if media is not None and _is_theirs(session, user, media):
        states = photo_images.states_with(session, media_id)
        is_half_deleted = lock and media.deleting_since is not None
        if media.deleted_at is None or states or is_half_deleted:
            return media, states
    raise TerminalError(
        "there is no file with this id, or it is somebody else's: give the media_id that its "
        "upload was answered with",
        code=MEDIA_NOT_FOUND,
    )


def _is_theirs(session: Session, user: User, media: Media) -> bool:
    """Whether a file is there for a user; not while its upload may still come to nothing."""
    is_there = not media.awaited and not upload_sessions.going_on(session, [media.id])
    return is_there and user.owns(media.user_id)


def _theirs(session: Session, user: User, post_ids: Collection[int]) -> list[int]:
    """Return those of some posts that the user may see."""
    query = select(Post.id, Post.user_id).where(Post.id.in_(post_ids)).order_by(Post.id)
    return [post_id for post_id, owner in session.execute(query) if user.owns(owner)]


def _in_use(media_id: str, theirs: Sequence[int], states: dict[int, str]) -> TerminalError:
    """Return the error for a file that posts need.

    :param theirs: those that the user may know of
    """
    if theirs:
        told = ", ".join(f"{post_id} ({states[post_id]})" for post_id in theirs)
        why = f"post {told}: cancel what must not go out, or wait until it is published"
    else:
        why = "a post of somebody else: wait until it is published or cancelled"
    return TerminalError(
        f"the file {media_id} is needed by {why}",
        code=MEDIA_IN_USE,
        media_id=media_id,
        posts=list(theirs),
    )
