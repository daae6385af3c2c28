"""Preparing a post: validate its files, store their metadata, make its pictures.

Each stage is done for a publishing run, or ahead of time (``run_id`` is None): what a run finds
done it does not do again, and two that do the same at once leave what one of them would.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reelflow.digest import sha256_of
from reelflow.domain.cover import cover_violations
from reelflow.domain.media import MediaFacts, publishing_violations
from reelflow.domain.photos import count_violation, photo_post_sha256, photo_violations
from reelflow.domain.post import DONE, PAST_LAST_BYTE, PostKind, PostMode
from reelflow.domain.violation import Violation
from reelflow.exceptions import (
    MediaToolError,
    MediaUnreadableError,
    PostNotTakeableError,
    SourceChangedError,
)
from reelflow.ledger import photo_images, posts
from reelflow.ledger.models import Media, Post
from reelflow.media.decoder import DECODER_MISSING
from reelflow.media.inspection import inspect_source
from reelflow.media.repair_line import repair_line
from reelflow.services.intake.duplicates import give_key
from reelflow.services.intake.house_policy import policy_of
from reelflow.services.intake.pictures import keep_candidates, kept_cover, make_pictures
from reelflow.services.intake.prepared_copies import (
    PreparedCopy,
    copies_are_there,
    make_copies,
    store_copy,
)
from reelflow.services.intake.refusal import refuse, refused_if_unreadable, unreadable
from reelflow.services.stage import begin, open_media
from reelflow.services.workspace import Workspace

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Examined:
    """One file of a post.

    :param facts: None when it cannot be read, which is one of its violations then
    :param copy: what TikTok gets in its place
    """

    media_id: str
    facts: MediaFacts | None
    sha256: str
    violations: list[Violation]
    copy: PreparedCopy | None = None


def validate(workspace: Workspace, post_id: int, *, run_id: str | None, actor: str) -> str:
    """Check a post's files by the rules of the house and of TikTok, and for duplicates.

    Of photos that TikTok must not get as they are, copies are made before it is written down.

    :return: the SHA-256 of its content: of a video, or of all images in their order
    :raises MediaRejectedError: the post is now REJECTED and its files in the quarantine; ahead of
        time, one that is HELD stays HELD and keeps what is wrong with them
    :raises PostNotTakeableError: the same bytes are another post, this one is now CANCELLED
    :raises MediaToolError: libav was killed or ran out of time; the post is kept
    """
    post = begin(workspace, post_id, run_id=run_id)
    files = _files(workspace, post)
    is_validated = all(media.validated_at is not None for media in files)
    if post.sha256 is not None and is_validated and copies_are_there(workspace, post, files):
        return post.sha256
    examined = [_examine(workspace, post, media) for media in files]
    found = [violation for file in examined for violation in file.violations]
    too_many = count_violation(len(files))
    violations = [v.as_dict() for v in ([too_many] if too_many else []) + found]
    if not violations:
        copies, uncopied = make_copies(workspace, post, files, [file.facts for file in examined])
        examined = [replace(file, copy=copies.get(file.media_id)) for file in examined]
        violations = [violation.as_dict() for violation in uncopied]
    if violations:
        facts = {file.media_id: file.facts for file in examined if file.facts is not None}
        raise refuse(workspace, post, violations, run_id=run_id, actor=actor, facts=facts)
    return _accept(workspace, post_id, examined, actor=actor)


def _files(workspace: Workspace, post: Post) -> list[Media]:
    if post.kind is PostKind.VIDEO:
        return [post.media]  # as it was when the post was read: no question of its own
    with workspace.ledger.read() as session:
        return photo_images.media_of(session, post)


def _examine(workspace: Workspace, post: Post, media: Media) -> _Examined:
    try:
        with open_media(workspace, media, post_id=post.id) as source:
            facts = inspect_source(source)
            # One full pass in a file's life: what did not change since keeps its hash.
            sha256 = media.sha256 or sha256_of(source)
    except (MediaUnreadableError, SourceChangedError) as exc:
        return _Examined(media.id, None, "", [unreadable(workspace, exc)])
    found = _undeclared(media, sha256)
    if post.kind is PostKind.PHOTO:
        found += photo_violations(facts, media.file_name)
        return _Examined(media.id, facts, sha256, found)
    house = policy_of(media, workspace.rules.house)
    found += publishing_violations(facts, media.file_name, repair_line, house)
    if post.mode is not PostMode.DRAFT:  # TikTok is told no cover of a draft
        found += cover_violations(facts, post.cover_timestamp_ms)
    return _Examined(media.id, facts, sha256, found)


def _undeclared(media: Media, sha256: str) -> list[Violation]:
    """Return the violation of a file that is not the one which its sender declared."""
    if media.declared_sha256 in (None, sha256):
        return []
    declared = f"{media.declared_sha256}, as was declared with its upload"
    fix = "compute the SHA-256 of the file again, and upload the file with it once more"
    return [Violation("sha256", f"{media.file_name} has {sha256}", declared, fix)]


def _accept(
    workspace: Workspace, post_id: int, examined: Sequence[_Examined], *, actor: str
) -> str:
    try:
        sha256, twin_id = _store(workspace, post_id, examined, actor=actor)
    except IntegrityError:
        # Another run stored the same bytes between our look and our write: look again.
        sha256, twin_id = _store(workspace, post_id, examined, actor=actor)
    if twin_id is not None:
        raise PostNotTakeableError(
            f"post {post_id} has the same bytes as post {twin_id} on this account and is "
            'cancelled. To post them once more, ask for it: "repost": true in the sidecar'
        )
    return sha256


def _store(
    workspace: Workspace, post_id: int, examined: Sequence[_Examined], *, actor: str
) -> tuple[str, int | None]:
    """Keep what was found; return the content's hash, and the post that has these bytes."""
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        for file in examined:
            media = session.get_one(Media, file.media_id)
            media.sha256, media.violations, media.validated_at = file.sha256, None, now
            media.facts = file.facts.as_dict() if file.facts else None
            store_copy(media, file.copy)
        sha256 = content_sha256(session, post)
        twin = give_key(session, post, sha256, now=now, actor=actor)
        return sha256, twin.id if twin else None


def content_sha256(session: Session, post: Post) -> str:
    """Return what identifies a post's content, once each of its files has its hash."""
    hashes = [media.sha256 or "" for media in photo_images.media_of(session, post)]
    return photo_post_sha256(hashes) if post.kind is PostKind.PHOTO else hashes[0]


def extract_metadata(workspace: Workspace, post_id: int, *, run_id: str | None) -> dict[str, Any]:
    """Store what was measured on the media rows, where people and queries find it.

    :return: the same, small enough for a task's result; of photos, a list under ``images``
    """
    post = begin(workspace, post_id, run_id=run_id)
    extracted = [_extract(workspace, post, media) for media in _files(workspace, post)]
    return {"images": extracted} if post.kind is PostKind.PHOTO else extracted[0]


def _extract(workspace: Workspace, post: Post, media: Media) -> dict[str, Any]:
    facts = _facts(workspace, post, media)
    values = {
        "container": facts.container,
        "duration_s": facts.duration_s,
        "display_width": facts.display_width,
        "display_height": facts.display_height,
        "video_codec": facts.video_codec,
        "average_frame_rate": facts.average_frame_rate,
    }
    if media.extracted_at is None:
        with workspace.ledger.write() as session:
            row = session.get_one(Media, media.id)
            for name, value in values.items():
                setattr(row, name, value)
            row.facts = facts.as_dict()
            row.extracted_at = workspace.ledger.now()
    return values if facts.kind == "video" else {k: v for k, v in values.items() if v is not None}


def _facts(workspace: Workspace, post: Post, media: Media) -> MediaFacts:
    if media.facts is not None:
        return MediaFacts.from_dict(media.facts)
    with open_media(workspace, media, post_id=post.id) as source:
        return inspect_source(source)


def generate_thumbnail(
    workspace: Workspace, post_id: int, *, run_id: str | None, actor: str
) -> str:
    """Make the cover picture of the post: of its video, or of the image that is its cover.

    Ahead of time the pictures are made, too, that a person may choose a video's cover from. Where
    no libav works, a video goes without any: a warning is logged.

    :return: the cover's key; empty without one
    :raises MediaRejectedError: no picture of it can be decoded, or the file is gone or changed; the
        post is REJECTED, or ahead of time HELD as before
    """
    post, ahead = begin(workspace, post_id, run_id=run_id), run_id is None
    media = photo_images.cover_among(post, _files(workspace, post))
    kept = kept_cover(workspace, post, media, ahead=ahead)
    if kept is not None:
        return kept
    if post.state in DONE | PAST_LAST_BYTE and media.deleted_at is not None:
        return ""
    try:
        with refused_if_unreadable(workspace, post, run_id=run_id, actor=actor):
            return make_pictures(workspace, post, media, ahead=ahead)
    except MediaToolError as exc:
        if exc.code != DECODER_MISSING:
            raise
        _log.warning("post %d goes without a thumbnail: %s", post_id, exc)
        if ahead and post.media.candidates is None:
            keep_candidates(workspace, post, [])
        return ""
