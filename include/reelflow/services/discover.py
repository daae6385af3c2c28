"""Finding work: registers the inbox's files and takes a run's batch of due posts."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import PurePath

from sqlalchemy import select
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.domain.schedule import BackfillRun, NormalRun, Run
from reelflow.domain.sidecar import SIDECAR_MAX_BYTES, PostFields, parse_sidecar
from reelflow.exceptions import SidecarError
from reelflow.ledger import accounts, audit, batches, posts
from reelflow.ledger.models import Account, Media, Post
from reelflow.media.digest import sha256_file
from reelflow.services.prepare import NO_PRIVACY, reject
from reelflow.services.sweep import return_stalled_uploads
from reelflow.services.workspace import Workspace
from reelflow.storage.local import InboxFile

log = logging.getLogger(__name__)

NO_PRIVACY_REASON = "no privacy level was chosen, and TikTok forbids to choose one for the creator"
NO_PRIVACY_FIX = (
    "choose one with `reelflow posts release {post_id} --privacy LEVEL`, or give the account one "
    "for its inbox with `reelflow accounts set {account} --inbox-privacy LEVEL`"
)


@dataclass(frozen=True)
class BatchPost:
    """One post of a run's batch.

    :param post_id: the identity of everything that follows
    :param file_name: its file's name, for people to read
    """

    post_id: int
    file_name: str


def find_new_uploads(workspace: Workspace, run: Run, *, actor: str) -> list[BatchPost]:
    """Register the inbox and return the run's batch, claimed for it.

    A run that has a batch gets the same one again; a backfill appends what its interval has
    gained. Posts without a wished time join the run that registers them.
    """
    finish_moves(workspace, actor=actor)
    return_stalled_uploads(workspace, actor=actor)
    with workspace.ledger.read() as session:
        known = batches.post_ids(session, run.run_id)
    if isinstance(run, BackfillRun) or not known:
        _take(workspace, run, room=workspace.rules.batch_size - len(known), actor=actor)
    if isinstance(run, NormalRun) and not known:
        register_inbox(workspace, run=run, actor=actor)
    return _claimed_batch(workspace, run.run_id)


def _take(workspace: Workspace, run: Run, *, room: int, actor: str) -> None:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        if isinstance(run, NormalRun):
            for late in posts.missed(session, before=run.missed_before, now=now):
                _miss(session, late, run, now=now, actor=actor)
        taken = posts.due(session, run, now=now, limit=max(room, 0))
        for post_id in taken:
            if posts.get(session, post_id).state is PostState.MISSED:
                why = f"taken by the backfill of {run.run_id}"
                posts.move(session, post_id, PostState.READY, now=now, actor=actor, why=why)
        batches.append(session, run.run_id, taken, now=now)
        posts.claim(session, taken, run_id=run.run_id, now=now, claim=workspace.rules.claim)


def _miss(session: Session, post: Post, run: NormalRun, *, now: datetime, actor: str) -> None:
    posts.move(
        session,
        post.id,
        PostState.MISSED,
        now=now,
        actor=actor,
        why=f"was due at {post.due_at:%Y-%m-%d %H:%M} UTC, more than {run.max_lateness} before "
        "the run that found it",
        fix=f"`reelflow posts retry {post.id}`, or a backfill over its day",
    )


def _claimed_batch(workspace: Workspace, run_id: str) -> list[BatchPost]:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        ids = batches.post_ids(session, run_id)
        posts.claim(session, ids, run_id=run_id, now=now, claim=workspace.rules.claim)
        rows = {post.id: post for post in session.scalars(select(Post).where(Post.id.in_(ids)))}
    return [BatchPost(post_id, rows[post_id].media.file_name) for post_id in ids]


def waiting_inbox_files(workspace: Workspace) -> list[InboxFile]:
    """Return the quiet files of known accounts that no row stands for yet."""
    ledger = workspace.ledger
    with ledger.read() as session:
        names = [account.name for account in accounts.list_all(session)]
    files = workspace.folders.quiet_files(
        names,
        now_s=ledger.now().timestamp(),
        quiet_s=workspace.rules.inbox_quiet.total_seconds(),
    )
    return _in_turn(files)


def waiting_work(workspace: Workspace) -> frozenset[str]:
    """Name everything that a run started now would take; empty when there is nothing to do."""
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        due = posts.has_due(session, now=now, max_lateness=workspace.rules.max_lateness)
    files = (f"inbox:{file.inbox_path}:{file.inode}" for file in waiting_inbox_files(workspace))
    return frozenset(files) | frozenset(f"post:{post_id}" for post_id in due)


def unknown_folders(workspace: Workspace) -> list[str]:
    """Return the inbox folders that belong to no account; their files wait."""
    with workspace.ledger.read() as session:
        names = {account.name for account in accounts.list_all(session)}
    return [name for name in workspace.folders.account_folders() if name not in names]


def register_inbox(workspace: Workspace, *, run: NormalRun, actor: str) -> list[int]:
    """Make a post of every waiting inbox file, then move the file out of the inbox.

    :return: the ids of the new posts
    """
    for name in unknown_folders(workspace):
        log.warning(
            "inbox/%s belongs to no account, so its files wait: `reelflow accounts add` adds one",
            name,
        )
    registered = (
        _register(workspace, file, run=run, actor=actor) for file in waiting_inbox_files(workspace)
    )
    return [post_id for post_id in registered if post_id is not None]


def _register(workspace: Workspace, file: InboxFile, *, run: NormalRun, actor: str) -> int | None:
    """Register one file; None when another run was faster."""
    refusal: SidecarError | None = None
    try:
        fields = _read_sidecar(file)
    except SidecarError as exc:
        fields, refusal = PostFields(), exc
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        if not _still_there(file) or _known(session, file):
            return None
        account = accounts.by_name(session, file.account)
        media = _new_media(file, now=now)
        session.add(media)
        post = _new_post(account, media, fields, now=now)
        session.add(post)
        session.flush()
        _explain_start(session, post, account, now=now, actor=actor)
        joins = refusal is None and post.state is PostState.READY and fields.publish_at is None
        if joins and len(batches.post_ids(session, run.run_id)) < workspace.rules.batch_size:
            batches.append(session, run.run_id, [post.id], now=now)
            posts.claim(session, [post.id], run_id=run.run_id, now=now, claim=workspace.rules.claim)
    _finish_move(workspace, media.id, actor=actor)
    if refusal is not None:
        violation = {
            "rule": "sidecar",
            "value": str(refusal),
            "limit": "a JSON object with the fields of a post",
            "fix": f"correct {file.path.name}.json and put file and sidecar into the inbox again",
        }
        reject(workspace, post.id, [violation], actor=actor)
    elif post.state is PostState.HELD:
        _remember_content(workspace, post.id)
    return post.id


def _still_there(file: InboxFile) -> bool:
    try:
        return file.path.lstat().st_ino == file.inode
    except FileNotFoundError:
        return False


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
        with file.sidecar.open("rb") as stream:
            return parse_sidecar(stream.read(SIDECAR_MAX_BYTES + 1))
    except OSError as exc:
        raise SidecarError(f"the sidecar cannot be read ({exc.strerror})") from exc


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
        why=f"registered from inbox/{_displayed(post.media.inbox_path)}: {post.reason}",
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


def finish_moves(workspace: Workspace, *, actor: str) -> None:
    """Finish what a crash between registering a file and moving it left undone."""
    with workspace.ledger.read() as session:
        unmoved = session.scalars(select(Media.id).where(Media.moved_at.is_(None))).all()
    for media_id in unmoved:
        _finish_move(workspace, media_id, actor=actor)


def _finish_move(workspace: Workspace, media_id: str, *, actor: str) -> None:
    with workspace.ledger.read() as session:
        media = session.get_one(Media, media_id)
    taken = workspace.folders.take(media.inbox_path, media.source_path, inode=media.inbox_inode)
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        media = session.get_one(Media, media_id)
        media.moved_at = now
        if taken:
            return
        media.deleted_at = now
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
                why="its file left the inbox before it could be taken",
                fix="put the file into the inbox again",
            )


def _in_turn(files: Sequence[InboxFile]) -> list[InboxFile]:
    """Return the files so that each account's first comes before any account's second."""
    by_account: dict[str, list[InboxFile]] = {}
    for file in files:
        by_account.setdefault(file.account, []).append(file)
    rounds = zip_longest(*by_account.values())
    return [file for turn in rounds for file in turn if file is not None]
