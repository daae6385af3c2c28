"""Preparing a post: validate its file, store its metadata, make its thumbnail."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reelflow.domain.media import MediaFacts, publishing_violations
from reelflow.domain.post import DONE, PAST_LAST_BYTE, PostMode, PostState
from reelflow.exceptions import (
    MediaRejectedError,
    MediaUnreadableError,
    PostNotTakeableError,
    ReelflowError,
    SourceChangedError,
)
from reelflow.ledger import audit, posts
from reelflow.ledger.models import Media, Post
from reelflow.media.digest import sha256_file
from reelflow.media.inspection import inspect_media
from reelflow.services.preflight import PRIVACY_NOT_OFFERED, PRIVATE_BRANDED_CONTENT
from reelflow.services.stage import begin, check_unchanged, source_path
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

NO_PRIVACY = "no_privacy"
#: Why a post is REJECTED whose fields were never read, so that it may not go on as it is.
UNREAD_SIDECAR = "sidecar"

#: Reasons for which a post is HELD that other fields can settle.
_SOLVED_BY_FIELDS = frozenset({NO_PRIVACY, PRIVACY_NOT_OFFERED, PRIVATE_BRANDED_CONTENT})
#: What a held post takes over when the same bytes come again.
_TAKEN_OVER = (
    "caption",
    "privacy_level",
    "mode",
    "disable_comment",
    "disable_duet",
    "disable_stitch",
    "brand_content_toggle",
    "brand_organic_toggle",
    "is_aigc",
    "cover_timestamp_ms",
    "publish_at",
    "due_at",
)


def validate(workspace: Workspace, post_id: int, *, run_id: str, actor: str) -> str:
    """Check the file by the rules of the house and of TikTok, and its content for duplicates.

    :return: the file's SHA-256
    :raises MediaRejectedError: the post is now REJECTED and its file in the quarantine
    :raises PostNotTakeableError: the same bytes are another post, this one is now CANCELLED
    :raises MediaToolError: ffprobe could not run; the post is kept
    """
    post = begin(workspace, post_id, run_id=run_id)
    if post.sha256 is not None and post.media.validated_at is not None:
        return post.sha256
    try:
        facts, sha256 = _examine(source_path(workspace, post), post.media)
        violations = [v.as_dict() for v in publishing_violations(facts, post.media.file_name)]
    except (MediaUnreadableError, SourceChangedError) as exc:
        facts, sha256 = None, ""
        violations = [
            {
                "rule": exc.code,
                "value": str(exc),
                "limit": "a plain file that nobody writes to any more",
                "fix": "put the file into the inbox again",
            }
        ]
    if violations:
        reject(workspace, post_id, violations, actor=actor, facts=facts)
        raise MediaRejectedError(_sentence(post.media.file_name, violations), violations=violations)
    assert facts is not None
    _accept(workspace, post_id, facts, sha256, actor=actor)
    return sha256


def _examine(source: Path, media: Media) -> tuple[MediaFacts, str]:
    check_unchanged(source.lstat(), media)
    facts = inspect_media(source)
    # One full pass in a file's life: what did not change since keeps its hash.
    sha256 = media.sha256 or sha256_file(source)
    check_unchanged(source.lstat(), media)
    return facts, sha256


def _accept(
    workspace: Workspace, post_id: int, facts: MediaFacts, sha256: str, *, actor: str
) -> None:
    try:
        twin = _store_content(workspace, post_id, facts, sha256, actor=actor)
    except IntegrityError:
        # Another run stored the same bytes between our look and our write: look again.
        twin = _store_content(workspace, post_id, facts, sha256, actor=actor)
    if twin is not None:
        raise PostNotTakeableError(
            f"post {post_id} has the same bytes as post {twin} on this account and is cancelled. "
            'To post them once more, ask for it: "repost": true in the sidecar'
        )


def _store_content(
    workspace: Workspace, post_id: int, facts: MediaFacts, sha256: str, *, actor: str
) -> int | None:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        media = post.media
        media.sha256, media.facts, media.violations = sha256, facts.as_dict(), None
        media.validated_at = now
        if post.sha256 == sha256:
            return None
        twins = posts.with_content(
            session, account_id=post.account_id, sha256=sha256, but_not=post_id
        )
        if twins and not post.repost:
            if twins[0].state is PostState.HELD:
                _take_over(session, post, twins[0], now=now, actor=actor)
            cancel_duplicate(session, post, twins[0], now=now, actor=actor)
            return twins[0].id
        if post.repost:
            post.slot = posts.next_slot(session, account_id=post.account_id, sha256=sha256)
        post.sha256 = sha256
        session.flush()
        return None


def _take_over(session: Session, post: Post, twin: Post, *, now: datetime, actor: str) -> None:
    """Give a HELD post what the newcomer of the same bytes wishes, and let it go if that helps."""
    for field in _TAKEN_OVER:
        setattr(twin, field, getattr(post, field))
    complete = twin.privacy_level is not None or twin.mode is PostMode.DRAFT
    why = f"the same bytes came again as post {post.id}, and it takes over what that one wishes"
    if twin.reason_code in _SOLVED_BY_FIELDS and complete:
        posts.move(session, twin.id, PostState.READY, now=now, actor=actor, why=why)
    else:
        audit.record(session, post_id=twin.id, at=now, actor=actor, why=why)


def cancel_duplicate(
    session: Session, post: Post, twin: Post, *, now: datetime, actor: str
) -> None:
    """Cancel a post whose bytes are another post of the account already."""
    posts.move(
        session,
        post.id,
        PostState.CANCELLED,
        now=now,
        actor=actor,
        why=f"duplicate of post {twin.id}",
        code="duplicate",
        fix='to post the same bytes once more, put "repost": true into the sidecar',
    )


def extract_metadata(workspace: Workspace, post_id: int, *, run_id: str) -> dict[str, Any]:
    """Store what was measured on the media row, where people and queries find it.

    :return: the same, small enough for a task's result
    """
    post = begin(workspace, post_id, run_id=run_id)
    facts = _facts(workspace, post)
    values = {
        "container": facts.container,
        "duration_s": facts.duration_s,
        "display_width": facts.display_width,
        "display_height": facts.display_height,
        "video_codec": facts.video_codec,
        "average_frame_rate": facts.average_frame_rate,
    }
    if post.media.extracted_at is None:
        with workspace.ledger.write() as session:
            media = session.get_one(Media, post.media_id)
            for name, value in values.items():
                setattr(media, name, value)
            media.facts = facts.as_dict()
            media.extracted_at = workspace.ledger.now()
    return values


def _facts(workspace: Workspace, post: Post) -> MediaFacts:
    if post.media.facts is not None:
        return MediaFacts.from_dict(post.media.facts)
    return inspect_media(source_path(workspace, post))


def generate_thumbnail(workspace: Workspace, post_id: int, *, run_id: str, actor: str) -> str:
    """Make the cover picture of the post's file.

    :return: where it lies, relative to the data folder
    :raises MediaRejectedError: no picture of the video can be decoded; the post is REJECTED
    """
    # Pillow is loaded by this stage alone.
    from reelflow.media.thumbnail import make_thumbnail

    post = begin(workspace, post_id, run_id=run_id)
    relative = f"thumbnails/{post.media_id}.jpg"
    target = workspace.folders.path(relative)
    if target.exists() and post.media.thumbnail_path == relative:
        return relative
    if post.state in DONE | PAST_LAST_BYTE and post.media.deleted_at is not None:
        return ""
    at_s = None if post.cover_timestamp_ms is None else post.cover_timestamp_ms / 1000
    scratch = workspace.folders.scratch_path(".jpg")
    try:
        make_thumbnail(source_path(workspace, post), scratch, _facts(workspace, post), at_s=at_s)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch.replace(target)
    except MediaRejectedError as exc:
        if post.state is PostState.READY:
            reject(workspace, post_id, exc.violations, actor=actor)
        raise
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media_id).thumbnail_path = relative
    return relative


def reject(
    workspace: Workspace,
    post_id: int,
    violations: list[dict[str, str]],
    *,
    actor: str,
    facts: MediaFacts | None = None,
) -> None:
    """Make a READY post REJECTED and move its file to the quarantine, beside the reasons.

    One that another run rejected meanwhile keeps the reasons it was given first.
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        if post.state is not PostState.REJECTED:
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
            post.media.facts = facts.as_dict() if facts else None
    try_quarantine(workspace, post_id)


def try_quarantine(workspace: Workspace, post_id: int) -> None:
    """Move a rejected post's file to the quarantine; one that cannot be moved waits for a sweep."""
    try:
        quarantine(workspace, post_id)
    except (OSError, ReelflowError) as exc:
        log.error(
            "the file of post %d cannot be moved to the quarantine: %s; it is tried again",
            post_id,
            exc,
        )


def quarantine(workspace: Workspace, post_id: int) -> None:
    """Move a rejected post's file to the quarantine; done already is fine."""
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
    if post.media.source_path.startswith("quarantine/"):
        return
    reason: dict[str, object] = {
        "post_id": post_id,
        "account": post.account.name,
        "file": post.media.file_name,
        "rejected_at": post.state_since.isoformat(),
        "violations": post.media.violations,
    }
    if post.reason_code != UNREAD_SIDECAR:
        reason["release"] = f"reelflow posts retry {post_id}"
    target = workspace.folders.set_aside(
        post.media.source_path, account=post.account.name, post_id=post_id, reason=reason
    )
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media_id).source_path = target


def _sentence(file_name: str, violations: list[dict[str, str]]) -> str:
    lines = [
        f"{v['rule']}: {v['value']} (allowed: {v['limit']}). To fix: {v['fix']}" for v in violations
    ]
    return f"{file_name} is rejected. " + " ".join(lines)
