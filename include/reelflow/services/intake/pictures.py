"""The pictures of a post: its cover, and ahead of time those that a person may choose it from."""

from __future__ import annotations

import logging

from reelflow.domain.post import PostKind
from reelflow.exceptions import MediaRejectedError
from reelflow.ledger import posts
from reelflow.ledger.models import Media, Post
from reelflow.media.decoder import Cover
from reelflow.media.inspection import Examination, examine
from reelflow.media.thumbnail import make_thumbnail
from reelflow.services.stage import open_media
from reelflow.services.workspace import Workspace

_log = logging.getLogger(__name__)


def kept_cover(workspace: Workspace, post: Post, cover_of: Media, *, ahead: bool) -> str | None:
    """Return the key of a post's cover; None when pictures are still to be made.

    Ahead of time these are also those to choose it from.
    """
    kept = cover_of.thumbnail_path
    if kept is None or (ahead and post.media.candidates is None):
        return None
    return None if workspace.folders.store.stat(kept) is None else kept


def make_pictures(workspace: Workspace, post: Post, cover_of: Media, *, ahead: bool) -> str:
    """Make and keep the pictures of a post.

    :param cover_of: the file that its cover is of
    :param ahead: whether there is time to choose: then of a video the candidates are made, too,
        unless there are some, all in one child process
    :return: the key of its cover
    :raises MediaRejectedError: no picture of the file can be decoded
    :raises MediaToolError: as of :func:`reelflow.media.thumbnail.make_thumbnail`
    """
    candidates: list[Cover] = []
    are_wanted = ahead and post.media.candidates is None
    at_s = _chosen_s(post)
    with open_media(workspace, cover_of, post_id=post.id) as source:
        if are_wanted and post.kind is PostKind.VIDEO:
            with examine(source, with_covers=True) as examination:
                cover, candidates = examination.cover(at_s), _candidates(examination, post)
        else:
            cover = make_thumbnail(source, at_s=at_s)
        # Until it is of the moment that is chosen when it lies there: all covers have one place.
        while (key := _keep_cover(workspace, post, cover_of, cover, at_s=at_s)) is None:
            with workspace.ledger.read() as session:
                at_s = _chosen_s(posts.get(session, post.id))
            cover = make_thumbnail(source, at_s=at_s)
    if are_wanted:
        keep_candidates(workspace, post, candidates)
    return key


def _chosen_s(post: Post) -> float | None:
    return None if post.cover_timestamp_ms is None else post.cover_timestamp_ms / 1000


def _keep_cover(
    workspace: Workspace, post: Post, cover_of: Media, cover: Cover, *, at_s: float | None
) -> str | None:
    """Keep a cover and return its key; None if another moment was chosen meanwhile."""
    key = workspace.folders.put_thumbnail(cover_of.id, cover.jpeg)
    with workspace.ledger.write() as session:
        if _chosen_s(posts.get(session, post.id, lock=True)) != at_s:
            return None
        session.get_one(Media, cover_of.id).thumbnail_path = key
    return key


def _candidates(examination: Examination, post: Post) -> list[Cover]:
    """Make what a cover may be chosen from: none, where that takes more than the cover did."""
    try:
        return examination.candidates()
    except MediaRejectedError as exc:
        _log.warning("post %d has a cover, and no other to choose: %s", post.id, exc)
        return []


def keep_candidates(workspace: Workspace, post: Post, candidates: list[Cover]) -> None:
    """Keep the pictures to choose a cover from; none says that there is nothing to choose.

    They go with the file: where a publishing run overtook and deleted it, they are deleted, too.
    """
    folders, media_id = workspace.folders, post.media_id
    kept = [
        {"at_ms": round(one.at_s * 1000), "key": folders.put_candidate(media_id, number, one.jpeg)}
        for number, one in enumerate(candidates, 1)
    ]
    with workspace.ledger.write() as session:
        media = session.get_one(Media, media_id, with_for_update=True)
        is_wanted = media.deleted_at is None
        if is_wanted:
            media.candidates = kept
    if not is_wanted:
        folders.delete_candidates([str(one["key"]) for one in kept])
