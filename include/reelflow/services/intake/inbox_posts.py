"""The rows of the posts that the inbox brings."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import PurePath

from sqlalchemy.orm import Session

from reelflow.domain.post import PostKind, PostMode, PostState
from reelflow.domain.sidecar import PhotoFields
from reelflow.exceptions import SidecarError
from reelflow.ledger import accounts, audit, photo_images
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.intake.inbox import displayed
from reelflow.services.intake.inbox_wish import InboxWish, counted_images
from reelflow.services.intake.rejection import UNREAD_SIDECAR
from reelflow.services.intake.waiting import find_wait
from reelflow.services.publishing.preflight import NO_PRIVACY, Obstacle
from reelflow.storage.inbox import InboxFile, InboxFolder

NO_PRIVACY_REASON = "no privacy level was chosen, and TikTok forbids to choose one for the creator"
NO_PRIVACY_FIX = (
    "choose one with `reelflow posts release {post_id} --privacy LEVEL`; what comes into the inbox "
    "later gets one by `reelflow accounts set {account} --inbox-privacy LEVEL`"
)


@dataclass(frozen=True)
class NewPost:
    """A post that was just written, and its files in their order."""

    post: Post
    files: Sequence[Media]


def write_posts(
    session: Session,
    wanted: Sequence[tuple[InboxFile | InboxFolder, InboxWish]],
    *,
    now: datetime,
    actor: str,
) -> list[NewPost]:
    """Write the rows of what becomes posts, of all of them at once."""
    owners = accounts.by_names(session, {found.account for found, _ in wanted})
    new = [_new_post(owners[found.account], wish, now=now) for found, wish in wanted]
    session.add_all(chain.from_iterable((*one.files, one.post) for one in new))
    session.flush()
    for (found, wish), one in zip(wanted, new, strict=True):
        if one.post.kind is PostKind.PHOTO:
            photo_images.add(session, one.post.id, [media.id for media in one.files])
        if wish.refusal is not None:
            _refuse(one.post, wish.refusal, displayed(found.name))
        _explain_start(session, one.post, found, now=now, actor=actor)
    return new


def _refuse(post: Post, refusal: SidecarError, name: str) -> None:
    """Let a new post start as REJECTED, so that no crash can post it without its sidecar."""
    what = "folder" if post.kind is PostKind.PHOTO else "file"
    violation = {
        "rule": UNREAD_SIDECAR,
        "value": str(refusal),
        "limit": "a JSON object with the fields of a post",
        "fix": f"correct {name}.json and put {what} and sidecar into the inbox again",
    }
    post.media.violations = [violation]
    post.state = PostState.REJECTED
    post.reason, post.reason_code, post.fix = str(refusal), UNREAD_SIDECAR, violation["fix"]


def _new_media(file: InboxFile, *, now: datetime) -> Media:
    media_id = uuid.uuid4().hex
    extension = PurePath(file.name).suffix.lower()
    if not extension[1:].isalnum() or not extension.isascii() or len(extension) > 8:
        extension = ""
    return Media(
        id=media_id,
        file_name=_file_name(file),
        inbox_path=file.inbox_path,
        inbox_identity=file.identity,
        source_path=f"media/{media_id}{extension}",
        size_bytes=file.size_bytes,
        created_at=now,
    )


def _file_name(file: InboxFile) -> str:
    """Return what people call a file, an image with its folder; what is too long loses of that."""
    name = displayed(file.name)
    folder = displayed(file.folder or "")[: max(0, 254 - len(name))]
    return f"{folder}/{name}" if folder else name


def _new_post(account: Account, wish: InboxWish, *, now: datetime) -> NewPost:
    files, fields = [_new_media(file, now=now) for file in wish.files], wish.fields
    privacy = fields.privacy_level or account.inbox_privacy_level
    columns = {**fields.columns(), "privacy_level": privacy}
    post = Post(
        account=account,
        media=files[0],
        kind=PostKind.PHOTO if isinstance(fields, PhotoFields) else PostKind.VIDEO,
        state=PostState.READY,
        state_since=now,
        reason="found in the inbox",
        due_at=fields.publish_at or now,
        created_at=now,
        slot=0,
        fencing_token=0,
        upload_failures=0,
        publications_forgiven=0,
        **columns,
    )
    wait = _find_wait(post)
    if wait is not None:
        post.state, post.reason_code, post.reason = PostState.HELD, wait.code, wait.why
    return NewPost(post, files)


def _find_wait(post: Post) -> Obstacle | None:
    # A draft gets its privacy from the creator, in the app (inbox/video/init takes no post_info).
    if post.privacy_level is None and post.mode is PostMode.DIRECT:
        fix = NO_PRIVACY_FIX.format(post_id=post.id, account=post.account.name)
        return Obstacle(code=NO_PRIVACY, why=NO_PRIVACY_REASON, fix=fix)
    return find_wait(post)


def _explain_start(
    session: Session, post: Post, found: InboxFile | InboxFolder, *, now: datetime, actor: str
) -> None:
    account = post.account.name
    wait = _find_wait(post) if post.state is PostState.HELD else None
    if wait is not None:
        post.fix = wait.fix  # which names the post, now that it has an id
    images = f" ({counted_images(len(found.files))})" if post.kind is PostKind.PHOTO else ""
    audit.record(
        session,
        post_id=post.id,
        at=now,
        actor=actor,
        to_state=post.state,
        why=f"registered from inbox/{account}/{displayed(found.name)}{images}: {post.reason}",
    )
