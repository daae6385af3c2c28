"""The poller: paced by posts in flight, within the budget, one look at the ledger a tick."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from reelflow.domain.budget import Call
from reelflow.domain.post import PostState
from reelflow.exceptions import (
    AccountRevokedError,
    BudgetSpentError,
    ConfigurationError,
    LedgerLockedError,
    PostNotFoundError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TransientError,
)
from reelflow.ledger import accounts
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.tokens import AccessTokens
from reelflow.services.calls import budgets
from reelflow.services.calls.poll_ledger import PollLedger
from reelflow.services.calls.polling import StatusPoller
from reelflow.services.calls.waiting import Outcome, Wait
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from tests.factories import Clock
from tests.unit.reelflow.services.calls.scripted_tiktok import DONE, LINKED, PENDING, ScriptedTikTok

DEADLINE_S = 60.0
TOKEN_REFUSED = TikTokAuthError("refused", code="access_token_invalid")


@pytest.fixture
def tiktok(clock: Clock) -> ScriptedTikTok:
    return ScriptedTikTok(clock)


@pytest.fixture
def make_posts(account: Account, make_post: Callable[..., Post]) -> Callable[..., list[Post]]:
    """Make posts of ``acme`` that TikTok works on."""

    def make(count: int, of: Account = account) -> list[Post]:
        return [make_post(of, state=PostState.PROCESSING) for _ in range(count)]

    return make


MakePosts = Callable[..., list[Post]]


def make_ledger(workspace: Workspace) -> PollLedger:
    return PollLedger(lambda: workspace, lambda opened: AccessTokens(opened, None, actor="tests"))


def make_poller(
    workspace: Workspace, tiktok: ScriptedTikTok, ledger: PollLedger | None = None
) -> StatusPoller:
    return StatusPoller(
        tiktok, ledger or make_ledger(workspace), now=tiktok.now, pause=tiktok.pause
    )


def wait_for(tiktok: ScriptedTikTok, post: Post, **fields: float) -> Wait:
    now_s = tiktok.now()
    values = {
        "poll_interval_s": 10.0,
        "first_poll_at_s": now_s + 10.0,
        "ends_at_s": now_s + 1800.0,
        "link_timeout_s": 0.0,
        **fields,
    }
    return Wait(post_id=post.id, publish_id=f"pub-{post.id}", **values)


def run(
    workspace: Workspace,
    tiktok: ScriptedTikTok,
    waits: Sequence[Wait],
    ledger: PollLedger | None = None,
) -> list[Outcome]:
    """Wait for all of them with one poller."""

    async def wait_for_all() -> list[Outcome]:
        poller = make_poller(workspace, tiktok, ledger)
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.gather(*(poller.outcome(wait) for wait in waits))

    return asyncio.run(wait_for_all())


def test_a_post_is_asked_about_at_its_interval_until_tiktok_is_done(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    [post] = make_posts(1)
    began_s = tiktok.now()
    tiktok.answers = {f"pub-{post.id}": [PENDING, PENDING, DONE]}
    assert run(workspace, tiktok, [wait_for(tiktok, post)]) == [Outcome(DONE, is_final=True)]
    assert [at_s - began_s for at_s in tiktok.times_s()] == pytest.approx([10, 20, 30], abs=1)
    assert {asked.access_token for asked in tiktok.asked} == {"act.acme"}


def test_sixty_posts_of_an_account_are_asked_about_evenly_and_within_its_budget(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    posts = make_posts(60)
    waits = [wait_for(tiktok, post, ends_at_s=tiktok.now() + 100) for post in posts]
    run(workspace, tiktok, waits)
    times_s = tiktok.times_s()
    in_a_minute = [sum(0 <= at_s - start_s < 60 for at_s in times_s) for start_s in times_s]
    assert max(in_a_minute) <= 29  # of 30
    # Once the pace is even, five are left to a sensor's first look and the sweep.
    assert max(in_a_minute[4:]) <= 26
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(times_s)]
    assert max(gaps_s) < 5
    asked_of = [len(tiktok.times_s(f"pub-{post.id}")) for post in posts]
    assert max(asked_of) - min(asked_of) <= 1


def test_the_posts_of_a_small_run_do_not_wait_for_each_other(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    posts = make_posts(4)
    began_s = tiktok.now()
    tiktok.answers = {f"pub-{post.id}": [DONE] for post in posts}
    run(workspace, tiktok, [wait_for(tiktok, post) for post in posts])
    assert tiktok.times_s() == pytest.approx([began_s + 10] * 4, abs=0.5)


def test_few_posts_are_not_slowed_down(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    [first, second] = make_posts(2)
    tiktok.answers = {
        f"pub-{first.id}": [PENDING, PENDING, PENDING, PENDING, DONE],
        f"pub-{second.id}": [DONE],
    }
    run(workspace, tiktok, [wait_for(tiktok, post) for post in (first, second)])
    gaps_s = [b - a for a, b in itertools.pairwise(tiktok.times_s(f"pub-{first.id}"))]
    assert gaps_s == pytest.approx([10] * 4, abs=1)


def test_one_account_does_not_slow_another_down(
    workspace: Workspace,
    tiktok: ScriptedTikTok,
    make_account: Callable[..., Account],
    make_posts: MakePosts,
) -> None:
    busy, [quick] = make_posts(60), make_posts(1, of=make_account("other"))
    began_s = tiktok.now()
    tiktok.answers = {f"pub-{quick.id}": [DONE]}
    waits = [wait_for(tiktok, post, ends_at_s=began_s + 30) for post in (*busy, quick)]
    run(workspace, tiktok, waits)
    assert tiktok.times_s(f"pub-{quick.id}") == pytest.approx([began_s + 10], abs=1)


def test_posts_that_others_wait_for_are_left_their_share(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    ours = make_posts(60)[:30]  # the other half has another triggerer
    began_s = tiktok.now()
    run(workspace, tiktok, [wait_for(tiktok, post, ends_at_s=began_s + 130) for post in ours])
    asked = [at_s for at_s in tiktok.times_s() if at_s < began_s + 130]
    assert len(asked) == pytest.approx(3 + 120 / 61 * 30 / 1.2 / 2, abs=3)


@pytest.fixture
def beyond_budget(
    workspace: Workspace, tiktok: ScriptedTikTok, account: Account, make_posts: MakePosts
) -> Post:
    """A post whose account's polls of this minute other processes have made."""
    for _ in range(30):
        budgets.spend(workspace, account.id, Call.STATUS)
    [post] = make_posts(1)
    tiktok.answers = {f"pub-{post.id}": [DONE]}
    return post


def test_what_other_processes_asked_is_counted_and_nothing_is_asked_beyond(
    workspace: Workspace, tiktok: ScriptedTikTok, beyond_budget: Post
) -> None:
    began_s = tiktok.now()
    run(workspace, tiktok, [wait_for(tiktok, beyond_budget)])
    assert tiktok.times_s() == pytest.approx([began_s + 61], abs=1)


def test_each_poll_is_counted_before_it_is_made(
    workspace: Workspace, tiktok: ScriptedTikTok, account: Account, make_posts: MakePosts
) -> None:
    [post] = make_posts(1)
    tiktok.answers = {f"pub-{post.id}": [DONE]}
    run(workspace, tiktok, [wait_for(tiktok, post)])
    for _ in range(29):
        budgets.spend(workspace, account.id, Call.STATUS)
    with pytest.raises(BudgetSpentError):
        budgets.spend(workspace, account.id, Call.STATUS)


class CountedLedger:
    """A ledger that counts its transactions."""

    def __init__(self, workspace: Workspace) -> None:
        self._ledger = workspace.ledger
        self.cipher, self.now = workspace.ledger.cipher, workspace.ledger.now
        self.reads = self.writes = 0

    def read(self) -> AbstractContextManager[Session]:
        self.reads += 1
        return self._ledger.read()

    def write(self) -> AbstractContextManager[Session]:
        self.writes += 1
        return self._ledger.write()


def test_the_polls_of_many_accounts_cost_one_transaction(
    workspace: Workspace,
    tiktok: ScriptedTikTok,
    make_account: Callable[..., Account],
    make_posts: MakePosts,
) -> None:
    posts = [make_posts(1, of=make_account(f"a{number}"))[0] for number in range(8)]
    tiktok.default = lambda _: DONE
    counted = CountedLedger(workspace)
    seen = replace(workspace, ledger=counted)  # type: ignore[arg-type] # it does what a ledger does
    run(seen, tiktok, [wait_for(tiktok, post) for post in posts])
    assert (counted.reads, counted.writes) == (1, 1)


def test_a_spent_budget_is_not_asked_for_again_before_its_slot(
    workspace: Workspace, tiktok: ScriptedTikTok, beyond_budget: Post
) -> None:
    counted = CountedLedger(workspace)
    seen = replace(workspace, ledger=counted)  # type: ignore[arg-type] # it does what a ledger does
    run(seen, tiktok, [wait_for(tiktok, beyond_budget)])
    assert counted.writes == 2  # refused, and granted


def test_a_wait_ends_with_its_time_and_the_last_status(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    [post] = make_posts(1)
    wait = wait_for(tiktok, post, ends_at_s=tiktok.now() + 35)
    assert run(workspace, tiktok, [wait]) == [Outcome(PENDING, is_final=False)]
    assert tiktok.now() == pytest.approx(wait.ends_at_s, abs=1)
    assert len(tiktok.asked) == 4  # the last one at its end


def test_a_wait_that_never_had_its_turn_ends_a_minute_after_its_time(
    workspace: Workspace, tiktok: ScriptedTikTok, account: Account, make_posts: MakePosts
) -> None:
    budgets.block(workspace, account.id, Call.STATUS, workspace.ledger.now() + timedelta(days=1))
    [post] = make_posts(1)
    wait = wait_for(tiktok, post, ends_at_s=tiktok.now() + 100)
    assert run(workspace, tiktok, [wait]) == [Outcome(None, is_final=False)]
    assert tiktok.now() == pytest.approx(wait.ends_at_s + 60, abs=1)
    assert tiktok.asked == []


def test_trouble_that_passes_is_told_and_asked_again(
    workspace: Workspace,
    tiktok: ScriptedTikTok,
    make_posts: MakePosts,
    caplog: pytest.LogCaptureFixture,
) -> None:
    [post] = make_posts(1)
    tiktok.answers = {f"pub-{post.id}": [TikTokUnavailableError("503"), LINKED]}
    with caplog.at_level(logging.WARNING, "reelflow"):
        [outcome] = run(workspace, tiktok, [wait_for(tiktok, post)])
    assert outcome == Outcome(LINKED, is_final=True)
    assert f"post {post.id}: no status yet: 503" in caplog.text


def test_a_refusal_ends_the_wait_of_that_post_alone(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    [refused, other] = make_posts(2)
    tiktok.answers = {
        f"pub-{refused.id}": [TikTokRejectedError("no", code="invalid_publish_id")],
        f"pub-{other.id}": [PENDING, DONE],
    }

    async def both() -> list[Outcome | BaseException]:
        poller = make_poller(workspace, tiktok)
        return await asyncio.gather(
            *(poller.outcome(wait_for(tiktok, post)) for post in (refused, other)),
            return_exceptions=True,
        )

    first, second = asyncio.run(both())
    assert isinstance(first, TikTokRejectedError)
    assert second == Outcome(DONE, is_final=True)


def test_after_a_429_the_account_rests_in_all_processes(
    workspace: Workspace, tiktok: ScriptedTikTok, account: Account, make_posts: MakePosts
) -> None:
    posts = make_posts(6)
    tiktok.answers = {f"pub-{posts[0].id}": [TikTokRateLimitedError("429", retry_after_s=90), DONE]}
    tiktok.default = lambda _: DONE
    run(workspace, tiktok, [wait_for(tiktok, post) for post in posts])
    refused_s, _, _, at_once_s, *later_s = tiktok.times_s()
    assert at_once_s == refused_s
    assert min(later_s) - refused_s >= 90


def test_what_tiktok_asks_for_after_a_429_is_known_to_other_processes(
    workspace: Workspace, tiktok: ScriptedTikTok, account: Account, make_posts: MakePosts
) -> None:
    [post] = make_posts(1)
    tiktok.answers = {f"pub-{post.id}": [TikTokRateLimitedError("429", retry_after_s=3600)]}
    wait = wait_for(tiktok, post, ends_at_s=tiktok.now() + 30)
    run(workspace, tiktok, [wait])
    with pytest.raises(BudgetSpentError) as caught:
        budgets.spend(workspace, account.id, Call.STATUS)
    assert caught.value.retry_after_s == pytest.approx(3600 - 80, abs=2)


def test_a_post_that_does_not_exist_ends_its_wait(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    [post] = make_posts(1)
    wait = replace(wait_for(tiktok, post), post_id=post.id + 1)
    with pytest.raises(PostNotFoundError, match=f"no post has id {post.id + 1}"):
        run(workspace, tiktok, [wait])


def test_a_ledger_that_cannot_be_used_for_a_while_is_asked_again(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    [post] = make_posts(1)
    began_s = tiktok.now()

    def opened_after_a_minute() -> Workspace:
        if tiktok.now() < began_s + 60:
            raise LedgerLockedError("locked", retry_after_s=5)
        return workspace

    tiktok.answers = {f"pub-{post.id}": [DONE]}
    ledger = PollLedger(opened_after_a_minute, Renewed)
    [outcome] = run(workspace, tiktok, [wait_for(tiktok, post)], ledger)
    assert outcome == Outcome(DONE, is_final=True)


class FailingLedger(PollLedger):
    """Takes no status as long as it is away."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(lambda: workspace, Renewed)
        self.is_away = True
        self.asked: list[int] = []
        self.meeting = threading.Barrier(2)

    def write_down(
        self, post_id: int, publish_id: str, status: PublishStatus, *, actor: str
    ) -> PostState:
        with suppress(threading.BrokenBarrierError):
            self.meeting.wait(0.2)
            raise AssertionError("two statuses are written at once")
        self.asked.append(post_id)
        if self.is_away:
            raise LedgerLockedError("locked", retry_after_s=5)
        return PostState.PUBLISHED


def test_statuses_are_written_one_at_a_time_and_a_ledger_that_fails_is_left_alone_for_a_while(
    workspace: Workspace, tiktok: ScriptedTikTok
) -> None:
    ledger = FailingLedger(workspace)
    poller = make_poller(workspace, tiktok, ledger)

    async def write(*post_ids: int) -> list[PostState | BaseException]:
        writes = (poller.write_down(one, f"pub-{one}", DONE, actor="a") for one in post_ids)
        return await asyncio.gather(*writes, return_exceptions=True)

    async def write_before_and_after() -> None:
        refused = await write(1, 2, 3)
        assert [str(one) for one in refused] == [
            "locked",
            *["the ledger was away a moment ago"] * 2,
        ]
        assert all(isinstance(one, TransientError) for one in refused)
        assert ledger.asked == [1]

        ledger.is_away = False
        await tiktok.pause(5)
        assert await write(2, 3) == [PostState.PUBLISHED, PostState.PUBLISHED]
        assert ledger.asked == [1, 2, 3]

    asyncio.run(write_before_and_after())


def test_a_ledger_that_can_never_be_used_ends_the_wait_with_the_fix(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    def wrong() -> Workspace:
        raise ConfigurationError("set REELFLOW_FERNET_KEY")

    ledger = PollLedger(wrong, Renewed)
    with pytest.raises(ConfigurationError, match="set REELFLOW_FERNET_KEY"):
        run(workspace, tiktok, [wait_for(tiktok, make_posts(1)[0])], ledger)


def test_a_mistake_of_ours_ends_every_wait_instead_of_hanging(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    posts = make_posts(2)
    tiktok.answers = {f"pub-{post.id}": [RuntimeError("a bug")] for post in posts}
    with pytest.raises(RuntimeError, match="a bug"):
        run(workspace, tiktok, [wait_for(tiktok, post) for post in posts])

    def broken() -> Workspace:
        raise RuntimeError("another")

    with pytest.raises(RuntimeError, match="another"):
        run(workspace, tiktok, [wait_for(tiktok, posts[0])], PollLedger(broken, Renewed))


def store_token(workspace: Workspace, account: Account, token: str, **columns: object) -> None:
    with workspace.ledger.write() as session:
        row = session.get_one(Account, account.id)
        tokens, cipher = accounts.TokenSet(token), workspace.ledger.cipher
        accounts.store_tokens(row, cipher, tokens, now=workspace.ledger.now())
        for name, value in columns.items():
            setattr(row, name, value)


def test_a_token_that_was_changed_meanwhile_is_used_from_then_on(
    workspace: Workspace, tiktok: ScriptedTikTok, account: Account, make_posts: MakePosts
) -> None:
    [post] = make_posts(1)

    def change(_: object) -> object:
        store_token(workspace, account, "act.new")
        return PENDING if len(tiktok.asked) < 2 else DONE

    tiktok.default = change  # type: ignore[assignment]
    run(workspace, tiktok, [wait_for(tiktok, post)])
    assert [asked.access_token for asked in tiktok.asked] == ["act.acme", "act.new"]


class Renewed:
    """Gives ``act.renewed`` for a token that expires or was refused, and remembers."""

    def __init__(self, _: Workspace) -> None:
        self.renewed: list[str] = []

    def get(self, account_id: int) -> str:
        self.renewed.append("expiring")
        return "act.renewed"

    def renew(self, account_id: int, refused_token: str) -> str:
        self.renewed.append(refused_token)
        return "act.renewed"


def test_a_refused_token_is_renewed_and_the_call_made_once_more(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    tokens = Renewed(workspace)
    tiktok.default = lambda asked: DONE if asked.access_token == "act.renewed" else TOKEN_REFUSED
    ledger = PollLedger(lambda: workspace, lambda _: tokens)
    run(workspace, tiktok, [wait_for(tiktok, make_posts(1)[0])], ledger)
    assert tokens.renewed == ["act.acme"]
    assert len(tiktok.asked) == 2


def test_a_token_that_stays_refused_ends_the_wait(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    tiktok.default = lambda _: TOKEN_REFUSED
    ledger = PollLedger(lambda: workspace, Renewed)
    with pytest.raises(TikTokAuthError):
        run(workspace, tiktok, [wait_for(tiktok, make_posts(1)[0])], ledger)
    assert len(tiktok.asked) == 2


def test_a_refused_token_that_nothing_replaces_is_not_sent_again(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    class Unrenewed(Renewed):
        def renew(self, account_id: int, refused_token: str) -> str:
            return refused_token

    tiktok.default = lambda _: TOKEN_REFUSED
    ledger = PollLedger(lambda: workspace, Unrenewed)
    with pytest.raises(TikTokAuthError):
        run(workspace, tiktok, [wait_for(tiktok, make_posts(1)[0])], ledger)
    assert len(tiktok.asked) == 1


def test_a_token_that_soon_expires_is_renewed_before_the_call(
    workspace: Workspace,
    clock: Clock,
    tiktok: ScriptedTikTok,
    account: Account,
    make_posts: MakePosts,
) -> None:
    expires_at = clock() + timedelta(minutes=5)
    store_token(workspace, account, "act.old", access_token_expires_at=expires_at)
    tiktok.default = lambda _: DONE
    ledger = PollLedger(lambda: workspace, Renewed)
    run(workspace, tiktok, [wait_for(tiktok, make_posts(1)[0])], ledger)
    assert [asked.access_token for asked in tiktok.asked] == ["act.renewed"]


def test_the_posts_of_a_revoked_account_are_not_asked_about(
    workspace: Workspace, tiktok: ScriptedTikTok, account: Account, make_posts: MakePosts
) -> None:
    [post] = make_posts(1)
    store_token(workspace, account, "act.old", revoked=True)
    with pytest.raises(AccountRevokedError):
        run(workspace, tiktok, [wait_for(tiktok, post)])
    assert tiktok.asked == []


def test_a_token_of_another_fernet_key_ends_the_wait_with_the_fix(
    workspace: Workspace, tiktok: ScriptedTikTok, account: Account, make_posts: MakePosts
) -> None:
    [post] = make_posts(1)
    with workspace.ledger.write() as session:
        session.get_one(Account, account.id).access_token_encrypted = b"not of this key"
    with pytest.raises(ConfigurationError, match="account acme"):
        run(workspace, tiktok, [wait_for(tiktok, post)])


def test_it_closes_what_it_was_made_of_once_nobody_waits_any_more(
    workspace: Workspace, tiktok: ScriptedTikTok, make_posts: MakePosts
) -> None:
    [stays, leaves] = make_posts(2)

    async def leave_and_stay() -> None:
        closed = asyncio.Event()
        poller = StatusPoller(
            tiktok,
            make_ledger(workspace),
            close=closed.set,
            now=tiktok.now,
            pause=tiktok.pause,
        )
        leaving = asyncio.ensure_future(poller.outcome(wait_for(tiktok, leaves)))
        staying = asyncio.ensure_future(poller.outcome(wait_for(tiktok, stays)))
        await tiktok.pause(1)
        leaving.cancel()
        assert not poller.is_closed
        await tiktok.pause(1)
        staying.cancel()
        async with asyncio.timeout(DEADLINE_S):
            await closed.wait()
        assert poller.is_closed
        assert leaving.cancelled()
        assert staying.cancelled()

    asyncio.run(leave_and_stay())
    assert tiktok.closed == 1
