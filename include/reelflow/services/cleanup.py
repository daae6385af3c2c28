"""Finishing a post: delete the files that nothing needs any more, and announce it once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from reelflow.domain.post import DONE, PostKind
from reelflow.ledger import photo_images, posts, publications
from reelflow.ledger.models import Media, Post
from reelflow.services.intake.house_policy import came_by_form
from reelflow.services.workspace import Workspace
from reelflow.tiktok.addresses import post_url


@dataclass(frozen=True)
class Announcement:
    """What others learn of a published post; keyed by ``post_id``, at least once.

    :param state: PUBLISHED, PUBLISHED_NO_LINK, or IN_INBOX for a draft
    :param tiktok_post_id: TikTok's id of a public post; a private one has none
    :param link: where a public post is seen
    :param sha256: of what was handed in, not of TikTok's copy
    :param size_bytes: that TikTok has
    """

    post_id: int
    account: str
    file_name: str
    kind: str
    state: str
    publish_id: str
    tiktok_post_id: str | None
    link: str | None
    sha256: str
    size_bytes: int


def clean_up_files(workspace: Workspace, post_id: int) -> bool:
    """Delete each file of the post, and its copy, once every post on it is done; its cover stays.

    The pictures to choose a cover from go with the file: there is no choice any more. Of a file
    that was uploaded straight to the bucket the copy stays, too.

    :return: whether all its files are gone now
    """
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        left = [m for m in photo_images.media_of(session, post) if m.deleted_at is None]
        free = [media for media in left if _is_free(session, media)]
    if post.source_settled_at is not None:
        return True
    for media in free:
        workspace.folders.delete_source(media.source_path)
        workspace.folders.delete_candidates(_candidate_keys(media))
        if post.kind is PostKind.PHOTO and not came_by_form(media):
            workspace.folders.delete_prepared(media.id)
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        gone = [media for media in free if _note_deleted(session, media, now=now)]
        if len(gone) == len(left):
            session.get_one(Post, post_id).source_settled_at = now
    return len(gone) == len(left)


def _note_deleted(session: Session, media: Media, *, now: datetime) -> bool:
    """Write down that a file is gone; not while it got candidates since they were deleted."""
    row = session.get_one(Media, media.id, with_for_update=True)
    if row.candidates not in (None, media.candidates):
        return False
    row.deleted_at, row.candidates = now, None
    return True


def _candidate_keys(media: Media) -> list[str]:
    return [str(one["key"]) for one in media.candidates or ()]


def _is_free(session: Session, media: Media) -> bool:
    return DONE.issuperset(photo_images.states_with(session, media.id).values())


def announcement(workspace: Workspace, post_id: int) -> Announcement | None:
    """Return what to announce of a post, or None when there is nothing new to say."""
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        publication = publications.current(session, post_id)
    if post.state not in DONE or post.announced_at is not None or publication is None:
        return None
    is_photo = post.kind is PostKind.PHOTO
    return Announcement(
        post_id=post_id,
        account=post.account.name,
        file_name=photo_images.name_of(post),
        kind=str(post.kind),
        state=str(post.state),
        publish_id=publication.publish_id or "",
        tiktok_post_id=publication.tiktok_post_id,
        link=post_url(post.account.username, publication.tiktok_post_id, is_photo=is_photo),
        sha256=post.sha256 or "",
        size_bytes=publication.size_bytes,
    )


def mark_announced(workspace: Workspace, post_ids: list[int]) -> None:
    """Remember that these posts were announced; called when their event is out."""
    with workspace.ledger.write() as session:
        posts.note_announced(session, post_ids, now=workspace.ledger.now())
