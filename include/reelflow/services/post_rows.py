"""What is told of a post, its publications and its files: JSON-safe, and without any secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.photos import copy_reasons
from reelflow.domain.post import Interaction, PostKind
from reelflow.ledger import photo_images
from reelflow.ledger.models import Media, Post, Publication, Verdict
from reelflow.ledger.platform_models import WebhookEvent
from reelflow.ledger.stored_types import LEDGER_DAMAGED
from reelflow.services.accounts.revocation import reason_and_fix
from reelflow.services.intake.submitted_media import known_content
from reelflow.services.intake.verdict_policy import sentence
from reelflow.tiktok.addresses import post_url

#: The fields of a post's row.
_ROW: Final = (
    *("id", "kind", "image_count", "file_name", "account", "state", "reason", "reason_code", "fix"),
    *("mode", "publish_at", "due_at", "publish_id", "post_id", "link", "size_bytes", "chunks"),
    *("acknowledged_bytes", "sha256", "thumbnail_path", "source_path"),
    *("user_id", "media_ids", "created_at"),
)
#: Wishes that are told as they are stored.
_WISHES: Final = (
    "title",
    "caption",
    "privacy_level",
    *(f"disable_{interaction}" for interaction in Interaction),
    "brand_content_toggle",
    "brand_organic_toggle",
    "is_aigc",
    "cover_timestamp_ms",
    "auto_add_music",
    "repost",
    "wants_approval",
)


def post_row(
    post: Post, publication: Publication | None, images: Sequence[Media]
) -> dict[str, Any]:
    """Give a post's row; its file's is a photo post's folder, and its cover stands for it.

    :param publication: the current one
    :param images: of a photo post, in its order
    """
    files = list(images) or [post.media]
    cover = files[min(post.photo_cover_index, len(files) - 1)]
    reason, fix = reason_and_fix(post)
    return {
        "id": post.id,
        "kind": str(post.kind),
        "image_count": len(images) or None,
        "file_name": photo_images.name_of(post),
        "account": post.account.name,
        "state": str(post.state),
        "reason": post.rescheduled_because or reason,
        "reason_code": post.reason_code,
        "fix": fix,
        "mode": str(post.mode),
        "publish_at": iso(post.publish_at),
        "due_at": iso(post.due_at),
        "publish_id": publication and publication.publish_id,
        "post_id": publication and publication.tiktok_post_id,
        "link": publication and _link(post, publication),
        "size_bytes": sum(media.size_bytes for media in files),
        "chunks": publication and publication.total_chunks,
        "acknowledged_bytes": publication and publication.acknowledged_bytes,
        "sha256": post.sha256 or known_content(post.kind, files),
        "thumbnail_path": cover.thumbnail_path,
        "source_path": post.media.source_path,
        "user_id": post.user_id,
        "media_ids": [media.id for media in files if not media.awaited],
        "created_at": iso(post.created_at),
    }


def damaged_row(remains: Mapping[str, Any], *, why: str) -> dict[str, Any]:
    """Give the row of a post that cannot be read, with the names of :func:`post_row`'s fields.

    :param remains: what is stored of it, as :func:`reelflow.ledger.damage.remains_of` gives it
    :param why: which columns hold what they cannot
    """
    return {
        **dict.fromkeys(_ROW),
        **remains,
        "reason": why,
        "reason_code": LEDGER_DAMAGED,
        "fix": "correct that in the ledger, or put a backup of it in its place",
    }


def wishes_of(post: Post) -> dict[str, Any]:
    """Give what was wished for a post; what is for the other kind only is false or None."""
    return {
        **{name: getattr(post, name) for name in _WISHES},
        "approved_at": iso(post.approved_at),
        "wanted_interactions": [one for one in (post.wanted_interactions or "").split(",") if one],
        "cover_index": post.photo_cover_index if post.kind is PostKind.PHOTO else None,
    }


def publication_row(post: Post, publication: Publication) -> dict[str, Any]:
    """Give one publication of a post, without its upload URL."""
    return {
        "ordinal": publication.ordinal,
        "source": str(publication.source),
        "state": str(publication.state),
        "current": publication.is_current,
        "publish_id": publication.publish_id,
        "acknowledged_bytes": publication.acknowledged_bytes,
        "size_bytes": publication.size_bytes,
        "chunks": publication.total_chunks,
        "url_expires_at": iso(publication.url_expires_at),
        "tiktok_status": publication.tiktok_status,
        "tiktok_status_at": iso(publication.tiktok_status_at),
        "fail_reason": publication.fail_reason,
        "post_id": publication.tiktok_post_id,
        "link": _link(post, publication),
        "created_at": iso(publication.created_at),
    }


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """Give what one engine says of one file, and who approved it."""
    return {
        "file_name": verdict.media.file_name,
        "told": sentence(verdict),
        "engine": str(verdict.engine),
        "model_type": verdict.model_type,
        "id": verdict.verdict_id,
        "is_fake": verdict.is_fake,
        "confidence": verdict.confidence,
        "seconds": verdict.seconds,
        "details": verdict.details,
        "refused_because": verdict.refused_because,
        "found_at": iso(verdict.found_at),
        "approved_by": verdict.approved_by,
        "approved_at": iso(verdict.approved_at),
    }


def webhook_row(event: WebhookEvent) -> dict[str, Any]:
    """Give one event that TikTok sent about a post."""
    return {
        "received_at": iso(event.received_at),
        "happened_at": iso(event.happened_at),
        "event": event.event,
        "publish_id": event.publish_id,
        "reason": event.reason,
        "outcome": event.outcome,
    }


def image_row(image: Media) -> dict[str, Any]:
    """Give one image of a photo post."""
    return {
        "file_name": image.file_name,
        "size_bytes": image.size_bytes,
        "path": image.source_path,
        "metadata": image.facts,
        "copy": _copy_of(image),
    }


def _copy_of(image: Media) -> dict[str, Any] | None:
    """Give the copy that TikTok gets in an image's place, and why; None where it gets the image."""
    if image.prepared_facts is None:
        return None
    return {
        "path": image.prepared_path,
        "metadata": image.prepared_facts,
        "because": copy_reasons(MediaFacts.from_dict(image.facts)) if image.facts else [],
    }


def iso(at: datetime | None) -> str | None:
    """Return a time in ISO 8601."""
    return at.isoformat() if at else None


def _link(post: Post, publication: Publication) -> str | None:
    is_photo = post.kind is PostKind.PHOTO
    return post_url(post.account.username, publication.tiktok_post_id, is_photo=is_photo)
