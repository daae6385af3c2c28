"""Posts as people and programs read them: a row each for lists, the whole story for one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from reelflow.domain.post import PostState
from reelflow.ledger import audit, photo_images, posts, publications
from reelflow.ledger.models import Account, Media, Post, Publication
from reelflow.services.workspace import Workspace


def list_posts(
    workspace: Workspace,
    *,
    states: Sequence[PostState] = (),
    account: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Return the newest posts, newest last, as JSON-safe rows."""
    query = select(Post, Publication).outerjoin(
        Publication, (Publication.post_id == Post.id) & Publication.is_current
    )
    if states:
        query = query.where(Post.state.in_(states))
    if account is not None:
        query = query.join(Account, Account.id == Post.account_id).where(Account.name == account)
    with workspace.ledger.read() as session:
        found = session.execute(query.order_by(Post.id.desc()).limit(limit)).all()
        images = photo_images.of_posts(session, [post for post, _ in found])
        return [
            _row(post, publication, images.get(post.id, []))
            for post, publication in reversed(found)
        ]


def show_post(workspace: Workspace, post_id: int) -> dict[str, Any]:
    """Return one post with its publications and every step it made.

    :raises PostNotFoundError: no post has this id
    """
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        history = publications.of_post(session, post_id)
        current = next((item for item in history if item.is_current), None)
        images = photo_images.of_posts(session, [post]).get(post_id, [])
        return {
            **_row(post, current, images),
            "images": [_image(image) for image in images],
            "title": post.title,
            "caption": post.caption,
            "privacy_level": post.privacy_level,
            "metadata": post.media.facts,
            "violations": post.media.violations,
            "publications": [_publication(item) for item in history],
            "story": [
                {
                    "at": _text(entry.at),
                    "actor": entry.actor,
                    "from": entry.from_state,
                    "to": entry.to_state,
                    "why": entry.why,
                }
                for entry in audit.story(session, post_id)
            ],
        }


def _image(image: Media) -> dict[str, Any]:
    return {
        "file_name": image.file_name,
        "size_bytes": image.size_bytes,
        "path": image.source_path,
        "metadata": image.facts,
    }


def _row(post: Post, publication: Publication | None, images: Sequence[Media]) -> dict[str, Any]:
    """Give a post's row; its file's is a photo post's folder, and its cover stands for it."""
    cover = images[min(post.photo_cover_index, len(images) - 1)] if images else post.media
    return {
        "id": post.id,
        "kind": str(post.kind),
        "image_count": len(images) or None,
        "file_name": photo_images.name_of(post),
        "account": post.account.name,
        "state": str(post.state),
        "reason": post.rescheduled_because or post.reason,
        "reason_code": post.reason_code,
        "fix": post.fix,
        "mode": str(post.mode),
        "publish_at": _text(post.publish_at),
        "due_at": _text(post.due_at),
        "publish_id": publication and publication.publish_id,
        "post_id": publication and publication.tiktok_post_id,
        "size_bytes": sum(media.size_bytes for media in images or [post.media]),
        "chunks": publication and publication.total_chunks,
        "acknowledged_bytes": publication and publication.acknowledged_bytes,
        "sha256": post.sha256,
        "thumbnail_path": cover.thumbnail_path,
        "source_path": post.media.source_path,
    }


def _publication(publication: Publication) -> dict[str, Any]:
    return {
        "ordinal": publication.ordinal,
        "state": str(publication.state),
        "current": publication.is_current,
        "publish_id": publication.publish_id,
        "acknowledged_bytes": publication.acknowledged_bytes,
        "size_bytes": publication.size_bytes,
        "chunks": publication.total_chunks,
        "url_expires_at": _text(publication.url_expires_at),
        "tiktok_status": publication.tiktok_status,
        "fail_reason": publication.fail_reason,
        "post_id": publication.tiktok_post_id,
        "created_at": _text(publication.created_at),
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
