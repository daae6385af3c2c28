"""What tests of the services are made of: a clock, a workspace, accounts, posts, inbox files."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from sqlalchemy import delete, event, update

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.post import PostMode, PostState, PrivacyLevel
from reelflow.domain.upload_session import SESSION_LIFETIME, SessionKind, SessionState
from reelflow.ledger import accounts, audit
from reelflow.ledger.approval_models import ApprovalQuestion
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.engine import open_engine, upgrade
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.ledger import Ledger
from reelflow.ledger.metrics_models import MetricsTrouble, PostMetrics
from reelflow.ledger.models import (
    Account,
    AuditEntry,
    BatchEntry,
    Media,
    Post,
    Publication,
    Verdict,
)
from reelflow.ledger.platform_models import WebhookEvent
from reelflow.services.accounts.tokens import AccessTokens
from reelflow.services.calls.account_client import AccountClients
from reelflow.services.waiting import waiting_files, waiting_posts
from reelflow.services.workspace import PublishingRules, Workspace
from reelflow.source import identity_of
from reelflow.storage.folders import Folders
from reelflow.storage.local_store import open_data_folder
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.oauth import OAuthClient
from tests.data_folder import data_folder

#: A Fernet key that encrypts nothing but tests.
FERNET_KEY = "cmVlbGZsb3ctdGVzdHMtb25seS1ub3QtYS1zZWNyZXQ="
ACTOR = "tests"

_FOLDER = tempfile.TemporaryDirectory(prefix="reelflow-ledger-")
_numbers = itertools.count(1)


class Clock:
    """A UTC clock that moves only when told to.

    It starts an hour ahead of the machine's, so a file that is put into the inbox now has been
    left alone for an hour by the ledger's clock.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime.now(UTC) + timedelta(hours=1)

    def __call__(self) -> datetime:
        return self._now

    def advance(self, step: timedelta) -> datetime:
        self._now += step
        return self._now

    def set(self, now: datetime) -> None:
        assert now.tzinfo is not None
        self._now = now


@cache
def _migrated_file() -> Path:
    """Migrate one SQLite database; each test gets a copy of it."""
    path = Path(_FOLDER.name) / "migrated.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


def migrated_sqlite(folder: Path) -> str:
    """Return the URL of a fresh, migrated SQLite ledger in a folder."""
    path = folder / "reelflow.db"
    shutil.copyfile(_migrated_file(), path)
    return f"sqlite:///{path}"


def open_ledger(database_url: str, clock: Clock) -> Ledger:
    """Open a ledger that keeps its connections for as long as there is a use for it.

    A test has as many transactions as a server; connecting anew was half of what each cost.
    """
    engine = open_engine(database_url, keeps_connections=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sync_nothing)
    ledger = Ledger(engine, Cipher(FERNET_KEY), now=clock)
    weakref.finalize(ledger, engine.dispose)
    return ledger


def _sync_nothing(connection: Any, _record: object) -> None:
    """Nothing here outlives the tests, so nothing is worth the wait for a disk."""
    connection.execute("PRAGMA synchronous = OFF")


def open_workspace(
    root: Path, clock: Clock, *, database_url: str | None = None, **rules: Any
) -> Workspace:
    """Open a workspace below a folder, on its own migrated SQLite ledger unless told otherwise."""
    folders = Folders(lambda: open_data_folder(root))
    folders.create()
    url = database_url or migrated_sqlite(root)
    return Workspace(open_ledger(url, clock), folders, PublishingRules(**rules))


def waiting_work(workspace: Workspace) -> frozenset[str]:
    """Name everything that wakes a run, without when it is due; empty when there is nothing."""
    names = waiting_posts(workspace).and_files(waiting_files(workspace))
    return frozenset(re.sub("^(post:[0-9]+)@.*", r"\1", name) for name in names)


def make_account(
    workspace: Workspace,
    name: str = "acme",
    *,
    open_id: str | None = None,
    access_token: str | None = None,
    inbox_privacy_level: PrivacyLevel | None = PrivacyLevel.SELF_ONLY,
) -> Account:
    """Add an account, with a privacy level for its inbox, and make its inbox folder."""
    ledger = workspace.ledger
    with ledger.write() as session:
        account = accounts.save(
            session,
            ledger.cipher,
            open_id=open_id or f"open-{name}",
            name=name,
            tokens=accounts.TokenSet(access_token or f"act.{name}"),
            now=ledger.now(),
            inbox_privacy_level=inbox_privacy_level,
        )
    workspace.folders.create_account_inbox(name)
    return account


def make_post(
    workspace: Workspace,
    account: Account,
    *,
    state: PostState = PostState.READY,
    content: bytes | Path | None = None,
    file_name: str = "clip.mp4",
    validated: bool = True,
    facts: Mapping[str, Any] | None = None,
    keyed: bool | None = None,
    **fields: Any,
) -> Post:
    """Add a post with its media row and its source file, as if it had come that far.

    :param content: the source's bytes, or a file to copy; unique bytes when left out
    :param validated: with hash and facts, as ``validate`` leaves it
    :param keyed: whether the post has its content key; as ``validated`` says when left out
    :param fields: columns of the post, such as ``due_at``, ``slot``, ``repost``, ``fencing_token``
    """
    now = workspace.ledger.now()
    media_id = uuid.uuid4().hex
    suffix = Path(file_name).suffix.lower()
    source = data_folder(workspace).media / f"{media_id}{suffix}"
    if isinstance(content, Path):
        shutil.copyfile(content, source)
    else:
        source.write_bytes(b"bytes %d" % next(_numbers) if content is None else content)
    status = source.stat()
    digest = sha256(source.read_bytes()).hexdigest()
    measured = {
        **MediaFacts(
            container={".mov": "mov", ".webm": "webm"}.get(suffix, "mp4"),
            kind="video",
            size_bytes=status.st_size,
            duration_s=1.5,
            display_width=640,
            display_height=360,
            video_codec="h264",
            average_frame_rate=30.0,
        ).as_dict(),
        **(facts or {}),
    }
    media = Media(
        id=media_id,
        file_name=file_name,
        inbox_path=f"{account.name}/{file_name}",
        inbox_identity=identity_of(status),
        source_identity=identity_of(status),
        source_path=f"media/{source.name}",
        moved_at=now,
        size_bytes=status.st_size,
        sha256=digest if validated else None,
        facts=measured if validated else None,
        validated_at=now if validated else None,
        duration_s=measured["duration_s"] if validated else None,
        created_at=now,
    )
    columns: dict[str, Any] = {
        "state": state,
        "state_since": now,
        "reason": "made by a test",
        "slot": 0,
        "caption": "",
        "privacy_level": PrivacyLevel.SELF_ONLY.value,
        "mode": PostMode.DIRECT,
        "disable_comment": False,
        "disable_duet": False,
        "disable_stitch": False,
        "brand_content_toggle": False,
        "brand_organic_toggle": False,
        "is_aigc": False,
        "repost": False,
        "due_at": now,
        "fencing_token": 0,
        "upload_failures": 0,
        "publications_forgiven": 0,
        "created_at": now,
        "sha256": digest if (validated if keyed is None else keyed) else None,
        **fields,
    }
    with workspace.ledger.write() as session:
        session.add(media)
        post = Post(account_id=account.id, media_id=media_id, **columns)
        session.add(post)
        session.flush()
        audit.record(
            session, post_id=post.id, at=now, actor=ACTOR, to_state=post.state, why=post.reason
        )
        post_id = post.id
    return read_post(workspace, post_id)


def account_clients(
    workspace: Workspace, client: TikTokClient, oauth: OAuthClient | None = None
) -> AccountClients:
    """Return TikTok for each account.

    :param oauth: renews tokens; without it they are used as they are
    """
    return AccountClients(workspace, client, AccessTokens(workspace, oauth, actor=ACTOR))


def read_post(workspace: Workspace, post_id: int) -> Post:
    """Return a post as the ledger has it now."""
    with workspace.ledger.read() as session:
        return session.get_one(Post, post_id)


def change_post(workspace: Workspace, post_id: int, **values: Any) -> Post:
    """Change columns of a post behind the back of the services."""
    with workspace.ledger.write() as session:
        session.execute(update(Post).where(Post.id == post_id).values(**values))
    return read_post(workspace, post_id)


def change_account(workspace: Workspace, account_id: int, **values: Any) -> None:
    """Change columns of an account behind the back of the services."""
    with workspace.ledger.write() as session:
        session.execute(update(Account).where(Account.id == account_id).values(**values))


#: Each before what it refers to.
_ABOUT_POSTS: Final = (
    *(ApprovalQuestion, PostMetrics, MetricsTrouble, AuditEntry, BatchEntry),
    *(Publication, Post, Verdict, Media, WebhookEvent),
)


def forget_posts(workspace: Workspace) -> None:
    """Empty the ledger of all but its accounts, between the examples of a property test."""
    with workspace.ledger.write() as session:
        for table in _ABOUT_POSTS:
            session.execute(delete(table))


def drop(
    workspace: Workspace,
    account: Account | str,
    name: str | bytes,
    content: bytes | Path = b"a video, or so it says",
    sidecar: Mapping[str, Any] | bytes | None = None,
) -> Path:
    """Put a file into the inbox of an account, its sidecar first.

    :param sidecar: its fields, or its very bytes
    """
    folder = data_folder(workspace).inbox / (account if isinstance(account, str) else account.name)
    folder.mkdir(exist_ok=True)
    path = folder / (name if isinstance(name, str) else name.decode("utf-8", "surrogateescape"))
    if sidecar is not None:
        data = sidecar if isinstance(sidecar, bytes) else json.dumps(sidecar).encode()
        path.with_name(path.name + ".json").write_bytes(data)
    if isinstance(content, Path):
        shutil.copyfile(content, path)
    else:
        path.write_bytes(content)
    return path


def make_upload_session(
    workspace: Workspace, user_id: str = "anna", **columns: Any
) -> UploadSession:
    """Add an upload session of now; it has nothing in the store."""
    now = workspace.ledger.now()
    values = {
        "id": uuid.uuid4().hex,
        "kind": SessionKind.CHUNKED,
        "state": SessionState.OPEN,
        "state_since": now,
        "user_id": user_id,
        "file_name": "clip.mp4",
        "content_type": "video/mp4",
        "media_type": "video",
        "created_at": now,
        "last_chunk_at": now,
        "expires_at": now + SESSION_LIFETIME,
    }
    row = UploadSession(**values | columns)
    with workspace.ledger.write() as session:
        session.add(row)
    return row
