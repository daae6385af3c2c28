"""Waiting for TikTok: one poller asks for all waits of a process, within each account's budget."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from reelflow.domain.post import PostState
from reelflow.exceptions import (
    PostNotFoundError,
    ReelflowError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TransientError,
)
from reelflow.services.calls.poll_ledger import LedgerView, PollLedger
from reelflow.services.calls.waiting import Outcome, Wait, Watch
from reelflow.tiktok.models import PublishStatus

log = logging.getLogger(__name__)

#: The poller looks this often for what is due.
TICK_S: Final = 0.25
#: A fifth more than the budget's pace: sensors' first looks and the sweep need their share too.
_MARGIN: Final = 1.2
#: So many calls of an account may be made at once that made none lately: the posts of a small run
#: are not kept waiting for each other, and a minute has 29 of the 30 calls at most.
_BURST: Final = 4
#: Name of the task of one poll.
POLL: Final = "status-poll"
_LEDGER_PAUSE_S: Final = 5.0
_TOKEN_REFUSED: Final = "access_token_invalid"  # noqa: S105 - a code


class StatusClient(Protocol):
    """What TikTok is asked through."""

    async def fetch_status(self, access_token: str, publish_id: str) -> PublishStatus:
        """Return where a publish task stands."""

    async def aclose(self) -> None:
        """Close the connections."""


@dataclass
class _Pace:
    """How fast an account may be asked about.

    :param spacing_s: how far its calls are apart in the long run
    :param even_at_s: when the next call is to be made at an even pace
    :param rests_until_s: no call is made before
    """

    spacing_s: float = 0.0
    even_at_s: float = 0.0
    rests_until_s: float = 0.0

    def take(self, now_s: float) -> bool:
        """Count a call that is to be made now; False when it is too early for one."""
        early_by_s = self.even_at_s - now_s
        if now_s < self.rests_until_s or early_by_s > (_BURST - 1) * self.spacing_s:
            return False
        # A late tick makes up for the calls that it is late for, and for no more.
        self.even_at_s = max(self.even_at_s, now_s - TICK_S) + self.spacing_s
        return True


class StatusPoller:
    """Asks where posts stand, for every wait of one event loop.

    An account's calls are spread, so that the pause between two polls of one post grows with
    the account's posts in flight; each is counted in the ledger before it is made. At TikTok it
    only reads. It begins with its first wait and closes itself after its last; then make another.

    :param client: asks TikTok; closed at the end
    :param ledger: asked at most once a tick
    :param close: releases what else it was made of
    :param now: the clock, seconds since 1970
    :param pause: waits for so many seconds
    """

    def __init__(
        self,
        client: StatusClient,
        ledger: PollLedger,
        *,
        close: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._close = close
        self._now = now
        self._pause = pause
        self._watches: dict[Watch, None] = {}  # in the order in which they came
        self._paces: defaultdict[int, _Pace] = defaultdict(_Pace)
        self._polls: set[asyncio.Task[None]] = set()
        self._one_renewal = asyncio.Lock()
        self._one_write = asyncio.Lock()
        self._ledger_rests_until_s = 0.0
        self._task: asyncio.Task[None] | None = None
        self.is_closed = False

    async def outcome(self, wait: Wait) -> Outcome:
        """Wait until the status is final or the time is over.

        :raises TerminalError: TikTok refuses to say, or it cannot be asked
        """
        watch = Watch(wait)
        self._watches[watch] = None
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="status-poller")
        try:
            return await watch.ended
        finally:
            del self._watches[watch]

    async def write_down(
        self, post_id: int, publish_id: str, status: PublishStatus, *, actor: str
    ) -> PostState:
        """Write a final status into the ledger: one at a time, as all triggers share few threads.

        :return: the state of the post now
        :raises ReelflowError: the ledger cannot be used, or could not a moment ago
        """
        write = partial(self._ledger.write_down, post_id, publish_id, status, actor=actor)
        async with self._one_write:
            if self._now() < self._ledger_rests_until_s:
                raise TransientError("the ledger was away a moment ago", code="ledger_rests")
            try:
                return await asyncio.to_thread(write)
            except TransientError as exc:
                self._let_ledger_rest(exc)
                raise

    async def _run(self) -> None:
        try:
            while self._watches:
                await self._pause(TICK_S)
                await self._tick()
        except Exception as exc:  # noqa: BLE001 - whoever waits must hear of it
            for watch in self._watches:
                watch.fail(exc)
        finally:
            self.is_closed = True
            for watch in self._watches:
                watch.ended.cancel()
            for poll in self._polls:
                poll.cancel()
            await self._client.aclose()
            self._close()

    async def _tick(self) -> None:
        now_s = self._now()
        for watch in self._watches:
            if watch.is_overdue(now_s):
                watch.judge(now_s)
        if now_s < self._ledger_rests_until_s:
            return
        new = [watch for watch in self._watches if watch.account_id is None and watch.is_free()]
        due = self._due(now_s)
        if not (new or due):
            return
        try:
            view = await self._look(new, due)
        except ReelflowError as exc:
            self._ledger_failed([*new, *(one for group in due.values() for one in group)], exc)
            return
        for account_id, watches in due.items():
            self._begin(view, account_id, watches)

    def _due(self, now_s: float) -> Mapping[int, list[Watch]]:
        """Return by account whom to ask for now, those first who waited for the longest time."""
        due: defaultdict[int, list[Watch]] = defaultdict(list)
        ready = [one for one in self._watches if one.due_at_s <= now_s and one.is_free()]
        for watch in sorted(ready, key=lambda one: one.due_at_s):
            if watch.account_id is None:
                continue
            if self._paces[watch.account_id].take(now_s):
                due[watch.account_id].append(watch)
        return due

    async def _look(
        self, new: Collection[Watch], due: Mapping[int, Collection[Watch]]
    ) -> LedgerView:
        """Ask the ledger whose the new posts are, and which of the due calls may be made."""
        view = await asyncio.to_thread(
            self._ledger.look,
            {watch.wait.post_id for watch in new},
            {account_id: len(watches) for account_id, watches in due.items()},
        )
        for watch in new:
            post_id = watch.wait.post_id
            watch.account_id = view.account_of.get(post_id)
            if watch.account_id is None:
                watch.fail(
                    PostNotFoundError(f"no post has id {post_id}: see `reelflow posts list`")
                )
        self._set_paces(view)
        return view

    def _set_paces(self, view: LedgerView) -> None:
        """Spread each account's calls over its budget, beside those of other processes."""
        ours = Counter(one.account_id for one in self._watches if one.account_id is not None)
        for account_id in self._paces.keys() - ours.keys():
            del self._paces[account_id]
        for account_id, count in ours.items():
            share = count / max(count, view.in_flight.get(account_id, 0))
            self._paces[account_id].spacing_s = view.call_every_s * _MARGIN / share

    def _begin(self, view: LedgerView, account_id: int, watches: list[Watch]) -> None:
        spent = view.spent[account_id]
        if spent.granted < len(watches):
            self._rest(account_id, spent.wait_s)
        for watch in watches[: spent.granted]:
            watch.is_asking = True
            poll = asyncio.create_task(
                self._poll(watch, account_id, view.tokens[account_id]), name=POLL
            )
            self._polls.add(poll)
            poll.add_done_callback(self._polls.discard)

    def _rest(self, account_id: int, pause_s: float) -> None:
        pace = self._paces[account_id]
        pace.rests_until_s = max(pace.rests_until_s, self._now() + pause_s)

    async def _poll(self, watch: Watch, account_id: int, token: str | ReelflowError | None) -> None:
        try:
            watch.last = await self._ask(watch.wait.publish_id, account_id, token)
        except ReelflowError as exc:
            if isinstance(exc, TikTokRateLimitedError):
                await self._heed(account_id, exc)
            if isinstance(exc, TransientError):
                log.warning("post %s: no status yet: %s", watch.wait.post_id, exc)
            else:
                watch.fail(exc)
        except Exception as exc:  # noqa: BLE001 - whoever waits must hear of it
            watch.fail(exc)
        finally:
            watch.is_asking = False
        watch.judge(self._now())

    async def _ask(
        self, publish_id: str, account_id: int, token: str | ReelflowError | None
    ) -> PublishStatus:
        if isinstance(token, ReelflowError):
            raise token
        if token is None:
            async with self._one_renewal:
                token = await asyncio.to_thread(self._ledger.token, account_id)
        try:
            return await self._client.fetch_status(token, publish_id)
        except TikTokAuthError as exc:
            if exc.code != _TOKEN_REFUSED:
                raise
            async with self._one_renewal:
                other = await asyncio.to_thread(self._ledger.renewed_token, account_id, token)
            if other == token:
                raise
        return await self._client.fetch_status(other, publish_id)

    async def _heed(self, account_id: int, exc: TikTokRateLimitedError) -> None:
        """Let the account rest as long as TikTok asks, in all processes."""
        try:
            await asyncio.to_thread(self._ledger.record_refusal, account_id, exc)
        except ReelflowError as error:
            log.warning("the ledger was not told of a 429: %s", error)

    def _ledger_failed(self, watches: Collection[Watch], exc: ReelflowError) -> None:
        """Ask the ledger again later where that may help; else end the waits with the error."""
        if isinstance(exc, TransientError):
            self._let_ledger_rest(exc)
            log.warning("%d posts wait for the ledger: %s", len(watches), exc)
            return
        for watch in watches:
            watch.fail(exc)

    def _let_ledger_rest(self, exc: TransientError) -> None:
        self._ledger_rests_until_s = self._now() + (exc.retry_after_s or _LEDGER_PAUSE_S)
