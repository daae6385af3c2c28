"""Registering: makes a post of each new file or photo folder in the inbox, and empties that.

The rows of a post are committed at once and first, then its files are moved; a crash in between
is finished by the next run.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import PurePath
from typing import Final, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from reelflow.domain.photos import natural_order, wished_order
from reelflow.domain.post import PostKind, PostMode, PostState
from reelflow.domain.schedule import NormalRun
from reelflow.domain.sidecar import (
    SIDECAR_MAX_BYTES,
    PhotoFields,
    PostFields,
    VideoFields,
    parse_sidecar,
)
from reelflow.exceptions import (
    LedgerLockedError,
    MediaUnreadableError,
    ObjectNotFoundError,
    ReelflowError,
    SidecarError,
    SourceChangedError,
)
from reelflow.ledger import accounts, audit, batches, photo_images, posts
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.intake.inbox import displayed, report_waiting, waiting_inbox
from reelflow.services.intake.moves import finish_moves_of
from reelflow.services.intake.rejection import UNREAD_SIDECAR
from reelflow.services.intake.side_by_side import side_by_side
from reelflow.services.intake.waiting import find_wait
from reelflow.services.publishing.preflight import NO_PRIVACY, Obstacle
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import Folders
from reelflow.storage.inbox import InboxFile, InboxFolder

log = logging.getLogger(__name__)

NO_PRIVACY_REASON = "no privacy level was chosen, and TikTok forbids to choose one for the creator"
NO_PRIVACY_FIX = (
    "choose one with `reelflow posts release {post_id} --privacy LEVEL`; what comes into the inbox "
    "later gets one by `reelflow accounts set {account} --inbox-privacy LEVEL`"
)

#: So many files are registered in one transaction: others wait for it.
_AT_ONCE: Final = 20
#: What a hostile file may bring about.
_TROUBLE: Final = (ReelflowError, OSError, ValueError, OverflowError, SQLAlchemyError)

_Fields = TypeVar("_Fields", bound=PostFields)


@dataclass(frozen=True)
class _Wish:
    """What a file or folder of the inbox wants to be.

    :param files: of the post, in its order
    :param refusal: why its sidecar cannot be understood, if so; the fields are none of it then
    """

    files: Sequence[InboxFile]
    fields: PostFields
    refusal: SidecarError | None = None


def register_inbox(workspace: Workspace, *, run: NormalRun, actor: str) -> list[int]:
    """Make posts of what waits in the inbox, at most a batch of them, and move their files out.

    What is left is work still, which wakes the next run: no run is long before its first upload.

    :return: the ids of the new posts
    """
    listing = workspace.folders.read_inbox()
    report_waiting(workspace, listing)
    waiting = waiting_inbox(workspace, listing)[: workspace.rules.batch_size]
    registered: list[int] = []
    for first in range(0, len(waiting), _AT_ONCE):
        some = waiting[first : first + _AT_ONCE]
        registered += _register_some(workspace, some, run=run, actor=actor)
    return registered


def _register_some(
    workspace: Workspace, found: Sequence[InboxFile | InboxFolder], *, run: NormalRun, actor: str
) -> list[int]:
    """Register some in one transaction, which costs a fraction of one for each."""
    try:
        post_ids = _register(workspace, found, run=run, actor=actor)
    except LedgerLockedError:
        raise  # no matter of these files: every other would wait as long
    except _TROUBLE:
        # Nothing was written: each on its own, so that one that nobody foresaw stops no other.
        alone = (_try_register(workspace, one, run=run, actor=actor) for one in found)
        post_ids = [post_id for registered in alone for post_id in registered]
    finish_moves_of(workspace, post_ids, actor=actor)
    return post_ids


def _try_register(
    workspace: Workspace, found: InboxFile | InboxFolder, *, run: NormalRun, actor: str
) -> list[int]:
    try:
        return _register(workspace, [found], run=run, actor=actor)
    except LedgerLockedError:
        raise
    except _TROUBLE as exc:
        # What a disk says of a file is hostile: a value the ledger refuses is this file's alone.
        with workspace.ledger.read() as session:
            if isinstance(exc, IntegrityError) and _is_another_runs(workspace, session, found):
                return []
        log.exception(
            "%s cannot be registered and stays in the inbox (%s): put it in again under a plain "
            "name, with `touch`ed times",
            displayed(f"inbox/{found.account}/{found.name}"),
            type(exc).__name__,
        )
        return []


def _is_another_runs(
    workspace: Workspace, session: Session, found: InboxFile | InboxFolder
) -> bool:
    """Whether another run was faster: PostgreSQL lets two look at once, and one write."""
    return not workspace.folders.holds(found) or _known(session, found)


def _register(
    workspace: Workspace, found: Sequence[InboxFile | InboxFolder], *, run: NormalRun, actor: str
) -> list[int]:
    """Write the rows of some; of one that another run took, or somebody writes to, there are none.

    :return: the ids of the new posts
    """
    wishes = [(one, _wish(workspace.folders, one)) for one in found]
    with workspace.ledger.write() as session:
        # Only now: what another run takes from here on, it finds in the ledger first.
        held = side_by_side(workspace.folders.holds, found)
        wanted = [
            (one, wish)
            for (one, wish), is_held in zip(wishes, held, strict=True)
            if is_held and wish is not None and not _known(session, one)
        ]
        new = _write_rows(workspace, session, wanted, actor=actor)
        _join_batch(workspace, session, new, run=run)
    return [post.id for post in new]


def _join_batch(
    workspace: Workspace, session: Session, new: Sequence[Post], *, run: NormalRun
) -> None:
    """Let posts that are to go out now join the run that registers them, while it has room."""
    room = workspace.rules.batch_size - len(batches.post_ids(session, run.run_id))
    now = workspace.ledger.now()
    joining = [
        post.id for post in new if post.state is not PostState.HELD and post.publish_at is None
    ][: max(room, 0)]
    batches.append(session, run.run_id, joining, now=now)
    posts.claim(session, joining, run_id=run.run_id, now=now, claim=workspace.rules.claim)


def _wish(folders: Folders, found: InboxFile | InboxFolder) -> _Wish | None:
    """Read what is wished for; None when the sidecar is another by now."""
    try:
        if isinstance(found, InboxFolder):
            return _photo_wish(folders, found)
        return _video_wish(folders, found)
    except (ObjectNotFoundError, SourceChangedError):
        return None


def _video_wish(folders: Folders, file: InboxFile) -> _Wish:
    try:
        return _Wish(file.files, _read_sidecar(folders, file, VideoFields))
    except SidecarError as exc:
        return _Wish(file.files, VideoFields(), exc)


def _photo_wish(folders: Folders, folder: InboxFolder) -> _Wish:
    files = sorted(folder.files, key=lambda file: natural_order(file.name))
    try:
        fields = _read_sidecar(folders, folder, PhotoFields)
        if fields.images is not None:
            names = [file.name for file in files]
            files = [files[place] for place in wished_order(names, fields.images)]
        if fields.cover_index >= len(files):
            raise ValueError(
                f"cover_index is {fields.cover_index}, but the folder holds {_images(len(files))}, "
                f"{'which is' if len(files) == 1 else 'the first of which is'} number 0"
            )
    except SidecarError as exc:
        return _Wish(files, PhotoFields(), exc)
    except ValueError as exc:
        refusal = SidecarError(f"the sidecar cannot be used: {displayed(str(exc))}")
        return _Wish(files, PhotoFields(), refusal)
    return _Wish(files, fields)


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


def _read_sidecar(folders: Folders, found: InboxFile | InboxFolder, kind: type[_Fields]) -> _Fields:
    if found.sidecar_identity is None:
        return kind()
    try:
        with folders.open_sidecar(found) as source:
            data = source.read_at(0, SIDECAR_MAX_BYTES + 1)
    except MediaUnreadableError as exc:
        raise SidecarError(f"the sidecar cannot be read: {displayed(str(exc))}") from exc
    return parse_sidecar(data, kind)


def _write_rows(
    workspace: Workspace,
    session: Session,
    wanted: Sequence[tuple[InboxFile | InboxFolder, _Wish]],
    *,
    actor: str,
) -> list[Post]:
    """Write the rows of what becomes posts, of all of them at once."""
    now = workspace.ledger.now()
    owners = {one.account: accounts.by_name(session, one.account) for one, _ in wanted}
    files = [[_new_media(file, now=now) for file in wish.files] for _, wish in wanted]
    new = [
        _new_post(owners[found.account], media[0], wish.fields, now=now)
        for (found, wish), media in zip(wanted, files, strict=True)
    ]
    session.add_all([*chain.from_iterable(files), *new])
    session.flush()
    for (found, wish), media, post in zip(wanted, files, new, strict=True):
        if post.kind is PostKind.PHOTO:
            photo_images.add(session, post.id, [one.id for one in media])
        if wish.refusal is not None:
            _refuse(post, wish.refusal, displayed(found.name))
        _explain_start(session, post, found, now=now, actor=actor)
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


def _known(session: Session, found: InboxFile | InboxFolder) -> bool:
    identities = {file.inbox_path: file.identity for file in found.files}
    unmoved = select(Media.inbox_path, Media.inbox_identity).where(
        Media.moved_at.is_(None), Media.inbox_path.in_(identities)
    )
    return any(identities[path] == identity for path, identity in session.execute(unmoved))


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


def _new_post(account: Account, media: Media, fields: PostFields, *, now: datetime) -> Post:
    privacy = fields.privacy_level or account.inbox_privacy_level
    columns = {**fields.columns(), "privacy_level": privacy}
    post = Post(
        account=account,
        media=media,
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
    return post


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
    images = f" ({_images(len(found.files))})" if post.kind is PostKind.PHOTO else ""
    audit.record(
        session,
        post_id=post.id,
        at=now,
        actor=actor,
        to_state=post.state,
        why=f"registered from inbox/{account}/{displayed(found.name)}{images}: {post.reason}",
    )
