"""What the proof reads of the ledger, and how it is emptied between two cases."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.fernet import Fernet
from sqlalchemy import and_, delete, select, text, update

from reelflow.domain.post import PostState
from reelflow.ledger import accounts
from reelflow.ledger.accounts import TokenSet
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.engine import open_engine
from reelflow.ledger.ledger import Ledger
from reelflow.ledger.models import Account, BatchEntry, Media, Post, Publication
from reelflow.ledger.platform_models import Breaker, CallWindow, PlatformFailure
from reelflow.services.workspace import PublishingRules, Workspace
from reelflow.storage.folders import Folders
from reelflow.storage.local_store import open_data_folder
from tests import factories

#: A process works on the post, or TikTok does.
MID_STAGE: Final = frozenset({PostState.UPLOADING, PostState.COMMITTING, PostState.PROCESSING})


@dataclass(frozen=True)
class LedgerPost:
    """One post as the ledger has it.

    :param publish_id: of its current publication, as ``tiktok_post_id``; None without one
    :param sent_at: when that publication was begun
    :param is_closed: its end left nothing to do: it was announced, and its source is settled
    """

    id: int
    account: str
    open_id: str
    file_name: str
    state: PostState
    reason: str
    reason_code: str | None
    publish_id: str | None
    tiktok_post_id: str | None
    sent_at: datetime | None
    is_closed: bool


class LedgerView:
    """The ledger of a stack, seen beside its processes.

    :param fernet_key: the stack's own
    :param data_folder: the stack's data root
    """

    def __init__(self, url: str, fernet_key: str, data_folder: Path) -> None:
        ledger = Ledger(open_engine(url), Cipher(fernet_key))
        folders = Folders(lambda: open_data_folder(data_folder))
        self.workspace = Workspace(ledger, folders, PublishingRules())

    def close(self) -> None:
        """Give the connections back."""
        self.workspace.ledger.engine.dispose()

    def posts(self) -> list[LedgerPost]:
        """Return every post, oldest first."""
        query = (
            select(Post, Publication)
            .outerjoin(Publication, and_(Publication.post_id == Post.id, Publication.is_current))
            .order_by(Post.id)
        )
        with self.workspace.ledger.read() as session:
            return [_told(post, publication) for post, publication in session.execute(query)]

    def mid_stage(self, states: Collection[PostState] = MID_STAGE) -> list[LedgerPost]:
        """Return the posts that are in the middle of their way."""
        return [post for post in self.posts() if post.state in states]

    def leased(self) -> list[int]:
        """Return the ids of posts that a process holds to upload them."""
        query = select(Post.id).where(Post.lease_until.is_not(None))
        with self.workspace.ledger.read() as session:
            return list(session.scalars(query))

    def batches(self) -> dict[str, list[int]]:
        """Return every run's batch, in its order."""
        query = select(BatchEntry).order_by(BatchEntry.created_at, BatchEntry.ordinal)
        found: dict[str, list[int]] = {}
        with self.workspace.ledger.read() as session:
            for entry in session.scalars(query):
                found.setdefault(entry.run_id, []).append(entry.post_id)
        return found

    def change_posts(self, post_ids: Iterable[int], **values: Any) -> None:
        """Change columns of posts."""
        with self.workspace.ledger.write() as session:
            session.execute(update(Post).where(Post.id.in_(list(post_ids))).values(**values))

    def change_publication(self, post_id: int, **values: Any) -> None:
        """Change columns of a post's current publication."""
        current = update(Publication).where(Publication.post_id == post_id, Publication.is_current)
        with self.workspace.ledger.write() as session:
            session.execute(current.values(**values))

    def date_media(self, created_at: datetime) -> None:
        """Make it as if every file had been taken in at one time."""
        with self.workspace.ledger.write() as session:
            session.execute(update(Media).values(created_at=created_at))

    def change_account(self, name: str, **values: Any) -> None:
        """Change columns of an account."""
        with self.workspace.ledger.write() as session:
            session.execute(update(Account).where(Account.name == name).values(**values))

    def use_another_key(self, name: str) -> None:
        """Store an account's tokens with another key, as in a ledger put together from two."""
        cipher = Cipher(Fernet.generate_key().decode())
        now = self.workspace.ledger.now()
        with self.workspace.ledger.write() as session:
            account = session.scalars(select(Account).where(Account.name == name)).one()
            accounts.store_tokens(account, cipher, TokenSet("act.of-another-key"), now=now)

    @contextmanager
    def behind(self, revision: str) -> Iterator[None]:
        """Make it for a while as if the ledger had not been migrated since a revision."""
        current = self._revision()
        self._set_revision(revision)
        try:
            yield
        finally:
            self._set_revision(current)

    def let_claims_lapse(self) -> None:
        """Make it as if nothing had been heard of any run for a quarter of an hour."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        with self.workspace.ledger.write() as session:
            claimed = update(Post).where(Post.claimed_until.is_not(None))
            session.execute(claimed.values(claimed_until=past))

    def let_tokens_end(self, after: timedelta) -> None:
        """Date the end of every access token that can be renewed."""
        end = datetime.now(UTC) + after
        with self.workspace.ledger.write() as session:
            session.execute(update(Account).values(access_token_expires_at=end))

    def token_versions(self) -> dict[str, int]:
        """Return how often each account's tokens have changed."""
        with self.workspace.ledger.read() as session:
            return {one.name: one.token_version for one in session.scalars(select(Account))}

    def forget(self) -> None:
        """Empty it of all but the accounts; budgets and the breaker begin anew."""
        with self.workspace.ledger.write() as session:
            for table in (CallWindow, PlatformFailure, Breaker):
                session.execute(delete(table))
        factories.forget_posts(self.workspace)

    def _revision(self) -> str:
        with self.workspace.ledger.read() as session:
            return str(session.scalar(text("SELECT version_num FROM alembic_version")))

    def _set_revision(self, revision: str) -> None:
        change = text("UPDATE alembic_version SET version_num = :revision")
        with self.workspace.ledger.write() as session:
            session.execute(change, {"revision": revision})


def _told(post: Post, publication: Publication | None) -> LedgerPost:
    return LedgerPost(
        id=post.id,
        account=post.account.name,
        open_id=post.account.open_id,
        file_name=post.media.file_name,
        state=post.state,
        reason=post.reason,
        reason_code=post.reason_code,
        publish_id=publication.publish_id if publication else None,
        tiktok_post_id=publication.tiktok_post_id if publication else None,
        sent_at=publication.created_at if publication else None,
        is_closed=post.announced_at is not None and post.source_settled_at is not None,
    )
