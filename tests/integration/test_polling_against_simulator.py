"""Sixty posts of one account, polled over real HTTP within the 30 calls that TikTok allows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from reelflow.domain.budget import BudgetLimits
from reelflow.domain.chunks import plan_chunks
from reelflow.domain.post import PostState
from reelflow.exceptions import TikTokRateLimitedError
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.tokens import AccessTokens
from reelflow.services.calls.poll_ledger import PollLedger
from reelflow.services.calls.polling import POLL, StatusPoller
from reelflow.services.calls.waiting import Outcome, Wait
from reelflow.services.workspace import Workspace
from reelflow.tiktok.aclient import AsyncStatusClient
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import PublishStatus, VideoPost
from tests.factories import Clock
from tests.integration.simulator_process import Simulator

POSTS = 60
#: Long enough for each post to be asked about: 60 calls at 30 a minute, less a sixth.
WAITED_S = 160.0


class WatchedClient(AsyncStatusClient):
    """The triggers' client, which remembers how TikTok took its calls."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.answered: Counter[str] = Counter()
        self.refused = 0

    async def fetch_status(self, access_token: str, publish_id: str) -> PublishStatus:
        try:
            status = await super().fetch_status(access_token, publish_id)
        except TikTokRateLimitedError:
            self.refused += 1
            raise
        self.answered[publish_id] += 1
        return status


@pytest.fixture
def creator(simulator: Simulator, make_account: Callable[..., Account]) -> Account:
    known = simulator.accounts[0]
    return make_account("aurora", open_id=known["open_id"], access_token=known["access_token"])


@pytest.fixture
def waiting(
    simulator: Simulator, creator: Account, clock: Clock, make_post: Callable[..., Post]
) -> list[Wait]:
    """Sixty publications that TikTok knows, opened six a minute, and the waits for them."""
    token = simulator.accounts[0]["access_token"]
    publish_ids = []
    with simulator.client(TikTokLimits()) as client:
        for number in range(POSTS):
            if number % 6 == 0:
                simulator.advance(61)
            answer = client.init_video(token, VideoPost("", "SELF_ONLY"), plan_chunks(1000))
            publish_ids.append(answer.publish_id)
    now_s = clock().timestamp()
    return [
        Wait(
            post_id=make_post(creator, state=PostState.PROCESSING).id,
            publish_id=publish_id,
            poll_interval_s=10.0,
            first_poll_at_s=now_s + 10.0,
            ends_at_s=now_s + WAITED_S,
            link_timeout_s=0.0,
        )
        for publish_id in publish_ids
    ]


def poll(
    workspace: Workspace, clock: Clock, simulator: Simulator, waits: list[Wait]
) -> WatchedClient:
    """Wait for all of them, in a time that passes between the polls, here and at TikTok."""
    client = WatchedClient(simulator.api)

    async def pause(seconds: float) -> None:
        polls = [task for task in asyncio.all_tasks() if task.get_name() == POLL]
        if polls:
            await asyncio.wait(polls)
        clock.advance(timedelta(seconds=seconds))
        await asyncio.to_thread(simulator.advance, seconds)

    async def wait_for_all() -> list[Outcome]:
        poller = StatusPoller(
            client,
            PollLedger(lambda: workspace, lambda one: AccessTokens(one, None, actor="tests")),
            now=lambda: clock().timestamp(),
            pause=pause,
        )
        async with asyncio.timeout(120):
            return await asyncio.gather(*(poller.outcome(wait) for wait in waits))

    outcomes = asyncio.run(wait_for_all())
    assert not any(outcome.is_final for outcome in outcomes)
    return client


def test_sixty_posts_of_an_account_are_polled_without_a_429(
    workspace: Workspace, clock: Clock, simulator: Simulator, waiting: list[Wait]
) -> None:
    client = poll(workspace, clock, simulator, waiting)
    assert client.refused == 0
    assert client.answered.keys() == {wait.publish_id for wait in waiting}


def test_with_a_budget_that_is_too_large_tiktok_refuses_and_is_heeded(
    workspace: Workspace, clock: Clock, simulator: Simulator, waiting: list[Wait]
) -> None:
    greedy = replace(workspace.rules, budgets=BudgetLimits(status_per_minute=10_000))
    client = poll(replace(workspace, rules=greedy), clock, simulator, waiting)
    assert 0 < client.refused <= 2 * (POSTS - 30)
    assert client.answered.total() <= 30 * (1 + WAITED_S / 60 + 1)
