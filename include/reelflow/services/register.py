"""Registering: makes a post of each new file in the inbox, and moves the file out of it.

The row is committed first, then the file is moved; a crash in between is finished by the next run.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest
from pathlib import PurePath

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.domain.schedule import NormalRun
from reelflow.domain.sidecar import SIDECAR_MAX_BYTES, PostFields, parse_sidecar
from reelflow.exceptions import (
    LedgerLockedError,
    MediaUnreadableError,
    ReelflowError,
    SidecarError,
)
from reelflow.ledger import accounts, audit, batches, posts
from reelflow.ledger.models import Account, Media, Post
from reelflow.media.digest import sha256_file
from reelflow.media.source import open_source, read_at
from reelflow.services.prepare import NO_PRIVACY, UNREAD_SIDECAR, try_quarantine
from reelflow.services.workspace import Workspace
from reelflow.storage.local import InboxFile

log = logging.getLogger(__name__)

NO_PRIVACY_REASON = "no privacy level was chosen, and TikTok forbids to choose one for the creator"
NO_PRIVACY_FIX = (
    "choose one with `reelflow posts release {post_id} --privacy LEVEL`, or give the account one "
    "for its inbox with `reelflow accounts set {account} --inbox-privacy LEVEL`"
)


def waiting_inbox_files(workspace: Workspace) -> list[InboxFile]:
    """Return the quiet files of known accounts that no row stands for yet."""
    ledger = workspace.ledger
    with ledger.read() as session:
        names = [account.name for account in accounts.list_all(session)]
        unmoved = select(Media.inbox_path, Media.inbox_inode).where(Media.moved_at.is_(None))
        known = {(path, inode) for path, inode in session.execute(unmoved)}
    files = workspace.folders.quiet_files(
        names,
        now_s=ledger.now().timestamp(),
        quiet_s=workspace.rules.inbox_quiet.total_seconds(),
    )
    return _in_turn([file for file in files if (file.inbox_path, file.inode) not in known])


def unknown_folders(workspace: Workspace) -> list[str]:
    """Return the inbox folders that belong to no account; their files wait."""
    with workspace.ledger.read() as session:
        names = {account.name for account in accounts.list_all(session)}
    return [name for name in workspace.folders.account_folders() if name not in names]


def register_inbox(workspace: Workspace, *, run: NormalRun, actor: str) -> list[int]:
    """Make a post of every waiting inbox file, then move the file out of the inbox.

    :return: the ids of the new posts
    """
    _report_waiting_folders(workspace)
    registered = (
        _try_register(workspace, file, run=run, actor=actor)
        for file in waiting_inbox_files(workspace)
    )
    return [post_id for post_id in registered if post_id is not None]


def _try_register(
    workspace: Workspace, file: InboxFile, *, run: NormalRun, actor: str
) -> int | None:
    """Register one file; one that nobody foresaw is logged, and stops no other."""
    try:
        return _register(workspace, file, run=run, actor=actor)
    except LedgerLockedError:
        raise  # no matter of this file: every other would wait as long
    except (ReelflowError, OSError, ValueError, OverflowError, SQLAlchemyError) as exc:
        # What a disk says of a file is hostile: a value the ledger refuses is this file's alone.
        log.exception(
            "%s cannot be registered and stays in the inbox (%s): put it in again under a plain "
            "name, with `touch`ed times",
            _displayed(str(file.path.relative_to(workspace.folders.root))),
            type(exc).__name__,
        )
        return None


def _report_waiting_folders(workspace: Workspace) -> None:
    unknown = unknown_folders(workspace)
    for name in workspace.folders.account_folders():
        if name in unknown:
            log.warning(
                "inbox/%s belongs to no account, so its files wait: `reelflow accounts add` adds "
                "one",
                _displayed(name),
            )
        elif workspace.folders.is_closed(name):
            log.warning(
                "inbox/%s may not be read and written by user %d, so its files wait: change its "
                "owner or mode",
                _displayed(name),
                os.getuid(),
            )
        else:
            _report_lonely_sidecars(workspace, name)


def _report_lonely_sidecars(workspace: Workspace, account: str) -> None:
    """Say which sidecars wait, so that an old one is no surprise to a later file of its name."""
    lonely = workspace.folders.lonely_sidecars(
        account,
        now_s=workspace.ledger.now().timestamp(),
        quiet_s=workspace.rules.inbox_quiet.total_seconds(),
    )
    for name in lonely:
        log.warning(
            "inbox/%s/%s has no file beside it and waits for one: delete it unless its file is "
            "still to come",
            account,
            _displayed(name),
        )


def _register(workspace: Workspace, file: InboxFile, *, run: NormalRun, actor: str) -> int | None:
    """Register one file; None when another run was faster, or somebody writes to it again."""
    refusal: SidecarError | None = None
    try:
        fields = _read_sidecar(file)
    except SidecarError as exc:
        fields, refusal = PostFields(), exc
    try:
        post = _write_rows(workspace, file, fields, refusal, run=run, actor=actor)
    except IntegrityError:
        # PostgreSQL lets two runs look at once; the second to write finds the first one's row.
        with workspace.ledger.read() as session:
            if workspace.folders.holds(file) and not _known(session, file):
                raise
        return None
    if post is None:
        return None
    _finish_move(workspace, post.media_id, actor=actor)
    return post.id


def _write_rows(
    workspace: Workspace,
    file: InboxFile,
    fields: PostFields,
    refusal: SidecarError | None,
    *,
    run: NormalRun,
    actor: str,
) -> Post | None:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        if not workspace.folders.holds(file) or _known(session, file):
            return None
        account = accounts.by_name(session, file.account)
        media = _new_media(file, now=now)
        session.add(media)
        post = _new_post(account, media, fields, now=now)
        session.add(post)
        session.flush()
        if refusal is not None:
            _refuse(post, refusal)
        _explain_start(session, post, account, now=now, actor=actor)
        joins = post.state is not PostState.HELD and fields.publish_at is None
        if joins and len(batches.post_ids(session, run.run_id)) < workspace.rules.batch_size:
            batches.append(session, run.run_id, [post.id], now=now)
            posts.claim(session, [post.id], run_id=run.run_id, now=now, claim=workspace.rules.claim)
    return post


def _refuse(post: Post, refusal: SidecarError) -> None:
    """Let a new post start as REJECTED, so that no crash can post it without its sidecar."""
    name = post.media.file_name
    violation = {
        "rule": UNREAD_SIDECAR,
        "value": str(refusal),
        "limit": "a JSON object with the fields of a post",
        "fix": f"correct {name}.json and put file and sidecar into the inbox again",
    }
    post.media.violations = [violation]
    post.state = PostState.REJECTED
    post.reason, post.reason_code, post.fix = str(refusal), UNREAD_SIDECAR, violation["fix"]


def _known(session: Session, file: InboxFile) -> bool:
    same = select(Media.id).where(
        Media.moved_at.is_(None),
        Media.inbox_path == file.inbox_path,
        Media.inbox_inode == file.inode,
    )
    return session.scalar(same) is not None


def _read_sidecar(file: InboxFile) -> PostFields:
    if file.sidecar is None:
        return PostFields()
    try:
        with open_source(file.sidecar) as descriptor:
            data = read_at(descriptor, 0, SIDECAR_MAX_BYTES + 1)
    except MediaUnreadableError as exc:
        raise SidecarError(f"the sidecar cannot be read: {_displayed(str(exc))}") from exc
    except OSError as exc:
        raise SidecarError(f"the sidecar cannot be read: {exc.strerror}") from exc
    return parse_sidecar(data)


def _new_media(file: InboxFile, *, now: datetime) -> Media:
    media_id = uuid.uuid4().hex
    extension = PurePath(file.path.name).suffix.lower()
    if not extension[1:].isalnum() or not extension.isascii() or len(extension) > 8:
        extension = ""
    return Media(
        id=media_id,
        file_name=_displayed(file.path.name),
        inbox_path=file.inbox_path,
        inbox_inode=file.inode,
        source_path=f"media/{media_id}{extension}",
        size_bytes=file.size_bytes,
        mtime_ns=file.mtime_ns,
        created_at=now,
    )


def _displayed(name: str) -> str:
    """Return a file name that can be stored and shown: no control characters, valid Unicode."""
    shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown)[
        :255
    ]


def _new_post(account: Account, media: Media, fields: PostFields, *, now: datetime) -> Post:
    privacy = fields.privacy_level or account.inbox_privacy_level
    # A draft gets its privacy from the creator, in the app (inbox/video/init takes no post_info).
    held = privacy is None and fields.mode == "direct"
    return Post(
        account=account,
        media=media,
        state=PostState.HELD if held else PostState.READY,
        state_since=now,
        reason_code=NO_PRIVACY if held else None,
        reason=NO_PRIVACY_REASON if held else "found in the inbox",
        privacy_level=privacy,
        due_at=fields.publish_at or now,
        created_at=now,
        slot=0,
        fencing_token=0,
        upload_failures=0,
        publications_forgiven=0,
        **fields.model_dump(exclude={"privacy_level"}),
    )


def _explain_start(
    session: Session, post: Post, account: Account, *, now: datetime, actor: str
) -> None:
    if post.state is PostState.HELD:
        post.fix = NO_PRIVACY_FIX.format(post_id=post.id, account=account.name)
    audit.record(
        session,
        post_id=post.id,
        at=now,
        actor=actor,
        to_state=post.state,
        why=f"registered from inbox/{account.name}/{post.media.file_name}: {post.reason}",
    )


def _remember_content(workspace: Workspace, post_id: int) -> None:
    """Hash a held post's file now, so that the same bytes with a privacy level can complete it."""
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        source = workspace.folders.path(post.media.source_path)
    if not source.is_file() or source.is_symlink():
        return
    sha256 = sha256_file(source)
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        twins = posts.with_content(
            session, account_id=post.account_id, sha256=sha256, but_not=post_id
        )
        post.media.sha256 = sha256
        if not twins:
            post.sha256 = sha256


def _try_remember_content(workspace: Workspace, post_id: int) -> None:
    try:
        _remember_content(workspace, post_id)
    except (OSError, ReelflowError) as exc:
        log.error("the file of post %d cannot be read yet: %s", post_id, exc)


def finish_moves(workspace: Workspace, *, actor: str) -> None:
    """Finish what a crash between registering a file and moving it left undone."""
    with workspace.ledger.read() as session:
        unmoved = session.scalars(select(Media.id).where(Media.moved_at.is_(None))).all()
    for media_id in unmoved:
        _finish_move(workspace, media_id, actor=actor)


def _finish_move(workspace: Workspace, media_id: str, *, actor: str) -> None:
    """Take a registered file out of the inbox, and do what its post's state asks for."""
    with workspace.ledger.read() as session:
        media = session.get_one(Media, media_id)
    try:
        taken = workspace.folders.take(
            media.inbox_path,
            media.source_path,
            inode=media.inbox_inode,
            size_bytes=media.size_bytes,
            mtime_ns=media.mtime_ns,
        )
    except (OSError, ReelflowError) as exc:
        _postpone_move(workspace, media, exc)
        return
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        session.get_one(Media, media_id).moved_at = now
        if not taken:
            _cancel_vanished(session, media_id, now=now, actor=actor)
        found = session.scalars(select(Post).where(Post.media_id == media_id)).all()
        for post in found:
            post.rescheduled_because = None  # of a move that failed before
    for post in found if taken else ():
        if post.state is PostState.REJECTED:
            try_quarantine(workspace, post.id)
        elif post.state is PostState.HELD:
            _try_remember_content(workspace, post.id)


def _cancel_vanished(session: Session, media_id: str, *, now: datetime, actor: str) -> None:
    session.get_one(Media, media_id).deleted_at = now
    lost = session.scalars(
        select(Post).where(
            Post.media_id == media_id, Post.state.in_((PostState.HELD, PostState.READY))
        )
    ).all()
    for post in lost:
        posts.move(
            session,
            post.id,
            PostState.CANCELLED,
            now=now,
            actor=actor,
            why="its file left the inbox, or changed, before it could be taken",
            fix="put the file into the inbox again",
        )


def _postpone_move(workspace: Workspace, media: Media, exc: OSError | ReelflowError) -> None:
    """Let one file that cannot be moved wait, without stopping the others."""
    why = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
    trouble = f"{media.file_name} cannot be moved out of the inbox: {why}"
    log.error("%s; it is tried again", trouble)
    next_try = workspace.ledger.now() + workspace.rules.unreachable_retry
    with workspace.ledger.write() as session:
        for post in session.scalars(select(Post).where(Post.media_id == media.id)):
            if post.state is PostState.READY:
                post.due_at = max(post.due_at, next_try)
                post.rescheduled_because = f"next try at {post.due_at:%H:%M:%S} UTC: {trouble}"


def _in_turn(files: Sequence[InboxFile]) -> list[InboxFile]:
    """Return the files so that each account's first comes before any account's second."""
    by_account: dict[str, list[InboxFile]] = {}
    for file in files:
        by_account.setdefault(file.account, []).append(file)
    rounds = zip_longest(*by_account.values())
    return [file for turn in rounds for file in turn if file is not None]
