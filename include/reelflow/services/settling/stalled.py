"""Uploads that nobody works on any more: given back, and given up once their URL has expired."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.ledger import damage, posts, publications
from reelflow.ledger.models import Post, Publication
from reelflow.services.workspace import Workspace


def return_stalled_uploads(workspace: Workspace, *, actor: str) -> list[int]:
    """Make posts READY again whose uploader died before the last byte.

    Their publication stays: while its URL lives, the next upload goes on where it stopped.
    """
    with workspace.ledger.write() as session:
        return return_stalled(session, now=workspace.ledger.now(), actor=actor)


def return_stalled(session: Session, *, now: datetime, actor: str) -> list[int]:
    """Do in a transaction what :func:`return_stalled_uploads` does."""
    returned = []
    for post_id in posts.stalled_uploads(session, now=now):
        with damage.passing_over(session, post_id):
            posts.move(
                session,
                post_id,
                PostState.READY,
                now=now,
                actor=actor,
                why="its upload stopped before the last byte; the next one goes on from there",
            )
            returned.append(post_id)
    return returned


def supersede_expired(workspace: Workspace, *, actor: str) -> None:
    """Give up the publications of waiting posts whose upload URL's hour has passed."""
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        expired = session.execute(
            select(Publication.id, Publication.post_id)
            .join(Post, Post.id == Publication.post_id)
            .where(
                Publication.is_current,
                Publication.state == PublicationState.UPLOADING,
                Publication.url_expires_at <= now,
                Post.state == PostState.READY,
                posts.unleased(now),
            )
            # An upload that starts now waits, and then finds what was given up.
            .with_for_update(of=[Post, Publication], skip_locked=True)
        ).all()
        for publication_id, post_id in expired:
            with damage.passing_over(session, post_id):
                publications.move(
                    session,
                    session.get_one(Publication, publication_id),
                    PublicationState.SUPERSEDED,
                    now=now,
                    actor=actor,
                    why="its upload URL's hour passed before the last byte",
                )
