"""TikTok as one account sees it: every call within its budget, with a token that works."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from reelflow.domain.budget import Call
from reelflow.domain.chunks import ByteRange, ChunkPlan
from reelflow.exceptions import TikTokAuthError, TikTokRateLimitedError, TransientError
from reelflow.services.calls import budgets
from reelflow.services.workspace import Workspace
from reelflow.source import Source
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.display_models import UserInfo, Video, VideoPage
from reelflow.tiktok.models import (
    ChunkAnswer,
    CreatorInfo,
    InitAnswer,
    PhotoPost,
    PostMode,
    PublishStatus,
    PullFromUrl,
    VideoPost,
)

_T = TypeVar("_T")

#: The one refusal that another token can mend; TikTok carried nothing out.
_TOKEN_REFUSED = "access_token_invalid"  # noqa: S105 - a code


class TokenSource(Protocol):
    """Where access tokens come from: :class:`reelflow.services.accounts.tokens.AccessTokens`."""

    def get(self, account_id: int) -> str:
        """Return a token that is believed to work."""

    def renew(self, account_id: int, refused_token: str) -> str:
        """Return another token than the one that TikTok refused, or raise why there is none."""


class AccountClients:
    """Makes the client of each account.

    :param client: calls TikTok; its lifetime is the caller's affair
    :param tokens: the access tokens of the ledger's accounts
    """

    def __init__(self, workspace: Workspace, client: TikTokClient, tokens: TokenSource) -> None:
        self._workspace = workspace
        self._client = client
        self._tokens = tokens

    def of(self, account_id: int) -> AccountClient:
        """Return the client of one account."""
        return AccountClient(self._workspace, self._client, self._tokens, account_id)

    def fetch_status(self, account_id: int, publish_id: str) -> PublishStatus:
        """Return where a publish task of an account stands."""
        return self.of(account_id).fetch_status(publish_id)

    def cancel(self, account_id: int, publish_id: str) -> None:
        """Ask to stop a publish task of an account; only its status says whether that came true."""
        self.of(account_id).cancel(publish_id)

    def list_videos(self, account_id: int, cursor: int | None) -> VideoPage:
        """Return one page of an account's public videos, newest first; None for the first."""
        return self.of(account_id).list_videos(cursor)

    def query_videos(self, account_id: int, ids: Sequence[str]) -> tuple[Video, ...]:
        """Return those of 1 to 20 videos that an account shows to everyone."""
        return self.of(account_id).query_videos(ids)


class AccountClient:
    """Calls TikTok for one account.

    A call whose token is refused is made once more with another one: a refused call was not
    carried out. ``creator_info`` and ``fetch_status`` are counted against the account's budget
    before they are made; inits are by :func:`reelflow.services.calls.admission.admitted`. What
    else can go wrong is told by :class:`~reelflow.tiktok.client.TikTokClient`.

    Every call raises :class:`AccountRevokedError` for an account that must be connected again, and
    :class:`BudgetSpentError` where it was not made because a budget is spent.
    """

    def __init__(
        self, workspace: Workspace, client: TikTokClient, tokens: TokenSource, account_id: int
    ) -> None:
        self._workspace = workspace
        self._client = client
        self._tokens = tokens
        self._account_id = account_id

    def renew_token(self) -> None:
        """Renew the account's token if it must be, so that the next call need not wait for that."""
        self._tokens.get(self._account_id)

    def creator_info(self) -> CreatorInfo:
        """Return what the account may post now, or raise why it cannot."""
        return self._counted(Call.CREATOR_INFO, self._client.creator_info)

    def init_video(self, post: VideoPost, source: ChunkPlan | PullFromUrl) -> InitAnswer:
        """Open a direct post of a video."""
        return self._init(lambda token: self._client.init_video(token, post, source))

    def init_draft(self, source: ChunkPlan | PullFromUrl) -> InitAnswer:
        """Open a draft of a video in the creator's inbox."""
        return self._init(lambda token: self._client.init_draft(token, source))

    def init_photos(
        self, post: PhotoPost, image_urls: Sequence[str], *, cover_index: int, post_mode: PostMode
    ) -> InitAnswer:
        """Open a photo post, or a draft of one."""
        return self._init(
            lambda token: self._client.init_photos(
                token, post, image_urls, cover_index=cover_index, post_mode=post_mode
            )
        )

    def fetch_status(self, publish_id: str) -> PublishStatus:
        """Return where a publish task stands."""
        return self._counted(
            Call.STATUS, lambda token: self._client.fetch_status(token, publish_id)
        )

    def cancel(self, publish_id: str) -> None:
        """Ask to stop a publish task; only its status says whether that came true."""
        self._call(lambda token: self._client.cancel(token, publish_id))

    def user_info(self, fields: Sequence[str]) -> UserInfo:
        """Return the account's profile.

        :param fields: those its scopes allow: see :func:`reelflow.tiktok.display.user_fields`
        """
        return self._call(lambda token: self._client.user_info(token, fields))

    def list_videos(self, cursor: int | None) -> VideoPage:
        """Return one page of the account's public videos, newest first; None for the first."""
        return self._call(lambda token: self._client.list_videos(token, cursor=cursor))

    def query_videos(self, ids: Sequence[str]) -> tuple[Video, ...]:
        """Return those of 1 to 20 videos that the account shows to everyone."""
        return self._call(lambda token: self._client.query_videos(token, ids))

    def put_chunk(
        self,
        upload_url: str,
        source: Source,
        byte_range: ByteRange,
        content_type: str,
        *,
        checkpoint: Callable[[], None],
    ) -> ChunkAnswer:
        """Send a range of a source; the URL is the credential, no token goes along."""
        meter, started_s = self._workspace.meter, time.monotonic()
        try:
            answer = self._client.put_chunk(
                upload_url, source, byte_range, content_type, checkpoint=checkpoint
            )
        except TransientError:
            meter.count("chunks.failed")
            raise
        meter.time("chunk", time.monotonic() - started_s)
        meter.count("bytes_sent", byte_range.length)
        return answer

    def _counted(self, call: Call, send: Callable[[str], _T]) -> _T:
        budgets.spend(self._workspace, self._account_id, call)
        return self._heeding(call, send)

    def _init(self, send: Callable[[str], InitAnswer]) -> InitAnswer:
        return self._heeding(Call.INIT, send)

    def _heeding(self, call: Call, send: Callable[[str], _T]) -> _T:
        """Make a call, and let TikTok's own limits bind the account's next ones."""
        try:
            return self._call(send)
        except TikTokRateLimitedError as exc:
            budgets.record_refusal(self._workspace, self._account_id, call, exc)
            raise

    def _call(self, send: Callable[[str], _T]) -> _T:
        token = self._tokens.get(self._account_id)
        try:
            return send(token)
        except TikTokAuthError as exc:
            if exc.code != _TOKEN_REFUSED:
                raise
            other = self._tokens.renew(self._account_id, token)
            if other == token:
                raise
        return send(other)
