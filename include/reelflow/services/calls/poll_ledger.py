"""What the status poller asks the ledger, in one short transaction a tick, and tells it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from reelflow.domain.budget import Call
from reelflow.domain.post import PAST_LAST_BYTE, PostState
from reelflow.exceptions import ReelflowError, TikTokRateLimitedError
from reelflow.ledger import accounts
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.tokens import REFRESH_AHEAD
from reelflow.services.calls import budgets
from reelflow.services.calls.account_client import TokenSource
from reelflow.services.calls.budgets import Spent
from reelflow.services.settling.settle import apply_status
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus

#: A post that TikTok has had for longer is waited for by nobody: runs give up by then.
_WAITED_FOR: Final = timedelta(minutes=30)
#: The posts that other triggerers wait for are counted this often.
_COUNT_EVERY: Final = timedelta(seconds=15)


@dataclass(frozen=True)
class LedgerView:
    """What the ledger said.

    :param account_of: the account of each new post; one that is missing does not exist
    :param call_every_s: how far an account's calls are apart when they use up its budget
    :param in_flight: how many posts of an account TikTok works on, as counted lately
    :param spent: what the budget left of the wanted calls, by account
    :param tokens: by account, what to ask with: a token that lives, None for one that must be
        renewed first, or the error that says why there is none
    """

    account_of: Mapping[int, int]
    call_every_s: float
    in_flight: Mapping[int, int]
    spent: Mapping[int, Spent]
    tokens: Mapping[int, str | ReelflowError | None] = field(repr=False)


class PollLedger:
    """The ledger as the poller needs it. Blocking: each method for one thread at a time.

    :param open_workspace: opens the ledger; called at the first look, and again until it works
    :param make_tokens: from the workspace, what renews access tokens
    """

    def __init__(
        self,
        open_workspace: Callable[[], Workspace],
        make_tokens: Callable[[Workspace], TokenSource],
    ) -> None:
        self._open_workspace = open_workspace
        self._make_tokens = make_tokens
        self._opened: Workspace | None = None
        self._tokens: TokenSource | None = None
        self._decrypted: dict[int, tuple[bytes, str]] = {}
        self._in_flight: dict[int, int] = {}
        self._count_at = 0.0

    def look(self, new_posts: Collection[int], calls: Mapping[int, int]) -> LedgerView:
        """Find the accounts of new posts, and count the calls that are about to be made.

        :param new_posts: ids of posts
        :param calls: how many status calls are wanted, by account
        :raises ReelflowError: the ledger cannot be used; no call was counted
        """
        workspace = self._workspace()
        budget = workspace.rules.budgets.of(Call.STATUS)
        ledger = workspace.ledger
        with ledger.write() if calls else ledger.read() as session:
            return LedgerView(
                account_of=_accounts_of(session, new_posts) if new_posts else {},
                call_every_s=budget.window_s / budget.limit,
                in_flight=self._counted(session),
                spent=self._spend(session, calls) if calls else {},
                tokens=self._read_tokens(session, calls.keys()) if calls else {},
            )

    def token(self, account_id: int) -> str:
        """Return a token that works, renewed if it must be; see :class:`.AccessTokens`."""
        return self._source().get(account_id)

    def renewed_token(self, account_id: int, refused_token: str) -> str:
        """Return another token than the refused one; see :class:`.AccessTokens`."""
        return self._source().renew(account_id, refused_token)

    def record_refusal(self, account_id: int, exc: TikTokRateLimitedError) -> None:
        """Make no status call for an account as long as TikTok asks."""
        budgets.record_refusal(self._workspace(), account_id, Call.STATUS, exc)

    def write_down(
        self, post_id: int, publish_id: str, status: PublishStatus, *, actor: str
    ) -> PostState:
        """Write down a final status; see :func:`.apply_status`."""
        return apply_status(self._workspace(), post_id, publish_id, status, actor=actor)

    def _workspace(self) -> Workspace:
        if self._opened is None:
            self._opened = self._open_workspace()
        return self._opened

    def _source(self) -> TokenSource:
        if self._tokens is None:
            self._tokens = self._make_tokens(self._workspace())
        return self._tokens

    def _spend(self, session: Session, calls: Mapping[int, int]) -> Mapping[int, Spent]:
        workspace = self._workspace()
        now = workspace.ledger.now()
        return budgets.spend_each(session, workspace.rules.budgets, Call.STATUS, calls, now=now)

    def _counted(self, session: Session) -> Mapping[int, int]:
        """Count the posts that TikTok works on, not more often than is useful."""
        now = self._workspace().ledger.now()
        if now.timestamp() >= self._count_at:
            rows = session.execute(
                select(Post.account_id, func.count().label("posts"))
                .where(Post.state.in_(PAST_LAST_BYTE), Post.state_since > now - _WAITED_FOR)
                .group_by(Post.account_id)
            )
            self._in_flight = {row.account_id: row.posts for row in rows}
            self._count_at = (now + _COUNT_EVERY).timestamp()
        return self._in_flight

    def _read_tokens(
        self, session: Session, account_ids: Collection[int]
    ) -> dict[int, str | ReelflowError | None]:
        rows = session.execute(
            select(
                Account.id,
                Account.name,
                Account.open_id,
                Account.revoked,
                Account.access_token_encrypted,
                Account.access_token_expires_at,
            ).where(Account.id.in_(account_ids))
        )
        return {row.id: self._token(row) for row in rows}

    def _token(self, row: Row[*tuple[Any, ...]]) -> str | ReelflowError | None:
        """Decrypt a token unless that was done before: its bytes change whenever it does."""
        workspace = self._workspace()
        expires_at = row.access_token_expires_at
        if row.revoked or (
            expires_at is not None and expires_at <= workspace.ledger.now() + REFRESH_AHEAD
        ):
            return None
        encrypted, token = self._decrypted.get(row.id, (b"", ""))
        if encrypted != row.access_token_encrypted:
            try:
                token = accounts.decrypt_access_token(
                    row.access_token_encrypted,
                    workspace.ledger.cipher,
                    open_id=row.open_id,
                    name=row.name,
                )
            except ReelflowError as exc:
                return exc
            self._decrypted[row.id] = (row.access_token_encrypted, token)
        return token


def _accounts_of(session: Session, post_ids: Collection[int]) -> Mapping[int, int]:
    rows = session.execute(select(Post.id, Post.account_id).where(Post.id.in_(post_ids)))
    return {row.id: row.account_id for row in rows}
