"""Posts as people and programs read them: a row each for lists, the whole story for one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from reelflow.domain.post import PostKind, PostState
from reelflow.ledger import audit, photo_images, posts, publications, webhook_events
from reelflow.ledger.models import Account, Media, Post, Publication, WebhookEvent
from reelflow.services.accounts.revocation import held_because
from reelflow.services.calls import breaker
from reelflow.services.workspace import Workspace
from reelflow.tiktok.addresses import post_url

#: States in which an init is still to come, which the breaker may keep from being made.
_TO_BE_BEGUN: Final = frozenset({PostState.READY, PostState.UPLOADING})


def list_posts(
    workspace: Workspace,
    *,
    states: Sequence[PostState] = (),
    account: str | None = None,
    post_ids: Collection[int] | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Return the newest posts, newest last, as JSON-safe rows.

    :param post_ids: only these posts
    """
    query = select(Post, Publication).outerjoin(
        Publication, (Publication.post_id == Post.id) & Publication.is_current
    )
    if post_ids is not None:
        query = query.where(Post.id.in_(post_ids))
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
    """Return one post with its publications, what TikTok said of it, and every step it made.

    :raises PostNotFoundError: no post has this id
    """
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        history = publications.of_post(session, post_id)
        current = next((item for item in history if item.is_current), None)
        images = photo_images.of_posts(session, [post]).get(post_id, [])
        return {
            **_row(post, current, images),
            **_around(session, post, now=now),
            "images": [_image(image) for image in images],
            "title": post.title,
            "caption": post.caption,
            "privacy_level": post.privacy_level,
            "metadata": post.media.facts,
            "violations": post.media.violations,
            "publications": [_publication(post, item) for item in history],
            "webhooks": [
                _webhook(event)
                for event in webhook_events.about(
                    session, [item.publish_id for item in history if item.publish_id]
                )
            ],
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


def _around(session: Session, post: Post, *, now: datetime) -> dict[str, Any]:
    """Give who works on a post, and what keeps it from going on."""
    is_claimed = post.claimed_until is not None and post.claimed_until > now
    is_leased = posts.is_leased(post, now=now)
    outage = breaker.state(session, now=now) if post.state in _TO_BE_BEGUN else None
    return {
        "state_since": _text(post.state_since),
        "claimed_by": post.claimed_by if is_claimed else None,
        "claimed_until": _text(post.claimed_until) if is_claimed else None,
        "uploaded_by": post.lease_owner if is_leased else None,
        "lease_until": _text(post.lease_until) if is_leased else None,
        "account_revoked": held_because(post.account) if post.account.revoked else None,
        "breaker": outage and {"why": outage.why, "probe_at": _text(outage.probe_at)},
        "cancel_requested_at": _text(post.cancel_requested_at),
        "announced_at": _text(post.announced_at),
        "source_settled_at": _text(post.source_settled_at),
    }


def _webhook(event: WebhookEvent) -> dict[str, Any]:
    return {
        "received_at": _text(event.received_at),
        "happened_at": _text(event.happened_at),
        "event": event.event,
        "publish_id": event.publish_id,
        "reason": event.reason,
        "outcome": event.outcome,
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
        "link": publication and _link(post, publication),
        "size_bytes": sum(media.size_bytes for media in images or [post.media]),
        "chunks": publication and publication.total_chunks,
        "acknowledged_bytes": publication and publication.acknowledged_bytes,
        "sha256": post.sha256,
        "thumbnail_path": cover.thumbnail_path,
        "source_path": post.media.source_path,
    }


def _link(post: Post, publication: Publication) -> str | None:
    is_photo = post.kind is PostKind.PHOTO
    return post_url(post.account.username, publication.tiktok_post_id, is_photo=is_photo)


def _publication(post: Post, publication: Publication) -> dict[str, Any]:
    return {
        "ordinal": publication.ordinal,
        "source": str(publication.source),
        "state": str(publication.state),
        "current": publication.is_current,
        "publish_id": publication.publish_id,
        "acknowledged_bytes": publication.acknowledged_bytes,
        "size_bytes": publication.size_bytes,
        "chunks": publication.total_chunks,
        "url_expires_at": _text(publication.url_expires_at),
        "tiktok_status": publication.tiktok_status,
        "tiktok_status_at": _text(publication.tiktok_status_at),
        "fail_reason": publication.fail_reason,
        "post_id": publication.tiktok_post_id,
        "link": _link(post, publication),
        "created_at": _text(publication.created_at),
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
