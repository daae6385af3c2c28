"""Finishing a post: delete the source that nothing needs any more, and announce it once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from reelflow.domain.post import DONE
from reelflow.ledger import posts, publications
from reelflow.ledger.models import Media, Post
from reelflow.services.workspace import Workspace


@dataclass(frozen=True)
class Announcement:
    """What others learn of a published post; keyed by ``post_id``, at least once."""

    post_id: int
    account: str
    state: str
    publish_id: str
    tiktok_post_id: str | None
    sha256: str
    size_bytes: int


def clean_up_files(workspace: Workspace, post_id: int) -> bool:
    """Delete the post's source once every post on it is done; its thumbnail stays.

    :return: whether the source is gone now
    """
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        media = post.media
        states = session.scalars(select(Post.state).where(Post.media_id == media.id)).all()
    if post.source_settled_at is not None:
        return True
    if media.deleted_at is None:
        if not DONE.issuperset(states):
            return False
        workspace.folders.delete_source(media.source_path)
    with workspace.ledger.write() as session:
        now = workspace.ledger.now()
        row = session.get_one(Media, media.id)
        row.deleted_at = row.deleted_at or now
        session.get_one(Post, post_id).source_settled_at = now
    return True


def announcement(workspace: Workspace, post_id: int) -> Announcement | None:
    """Return what to announce of a post, or None when there is nothing new to say."""
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        publication = publications.current(session, post_id)
    if post.state not in DONE or post.announced_at is not None or publication is None:
        return None
    return Announcement(
        post_id=post_id,
        account=post.account.name,
        state=post.state,
        publish_id=publication.publish_id or "",
        tiktok_post_id=publication.tiktok_post_id,
        sha256=post.sha256 or "",
        size_bytes=publication.size_bytes,
    )


def mark_announced(workspace: Workspace, post_ids: list[int]) -> None:
    """Remember that these posts were announced; called when their event is out."""
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        for post_id in post_ids:
            post = posts.get(session, post_id, lock=True)
            post.announced_at = post.announced_at or now
