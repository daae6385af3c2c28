"""Access that ends soon: renewed ahead, told of when a person must act, one account by one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import ConfigurationError, TikTokUnreachableError
from reelflow.ledger import accounts
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.expiring import NAMED_FOR, accounts_for_a_person, renew_ending
from reelflow.services.accounts.revocation import ACCOUNT_REVOKED, mark_revoked
from reelflow.services.accounts.tokens import AccessTokens
from reelflow.services.calls.rounds import FAILED_ACCOUNTS_MAX
from reelflow.services.workspace import Workspace
from tests import factories
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES
from tests.token_server import TokenServer, token_server

pytestmark = ON_BOTH_DATABASES

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
AHEAD, WARN_AHEAD = 7 * HOUR, 14 * DAY


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with token_server() as server:
        yield server


@pytest.fixture
def tokens(workspace: Workspace, server: TokenServer) -> Iterator[AccessTokens]:
    with server.client() as oauth:
        yield AccessTokens(workspace, oauth, actor="tests")


class ToldRefresh:
    """Refreshes nothing; ends as a test says, and keeps who was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.ends: dict[int, Exception] = {}

    def refresh(self, account_id: int) -> str:
        self.asked.append(account_id)
        if account_id in self.ends:
            raise self.ends[account_id]
        return "act.new"


def connected(
    workspace: Workspace,
    name: str = "acme",
    *,
    lives: timedelta | None = HOUR,
    renewable_for: timedelta | None = 365 * DAY,
    refresh_token: str | None = "rft.0",
) -> Account:
    """Store an account whose tokens have some life left; the server knows acme's."""
    account = factories.make_account(workspace, name)
    now = workspace.ledger.now()
    tokens = accounts.TokenSet(
        "act.0",
        lives and now + lives,
        refresh_token,
        renewable_for and now + renewable_for,
    )
    with workspace.ledger.write() as session:
        stored = accounts.get(session, account.id, lock=True)
        accounts.store_tokens(stored, workspace.ledger.cipher, tokens, now=now)
    return read(workspace, account)


def read(workspace: Workspace, account: Account) -> Account:
    with workspace.ledger.read() as session:
        return accounts.get(session, account.id)


def named(workspace: Workspace) -> dict[int, str]:
    return accounts_for_a_person(workspace, warn_ahead=WARN_AHEAD)


# renewing


@pytest.mark.parametrize(
    ("lives", "is_renewed"),
    [(AHEAD + SECOND, False), (AHEAD, True), (-30 * DAY, True), (None, False)],
)
def test_what_ends_before_the_next_run_is_renewed(
    workspace: Workspace,
    server: TokenServer,
    tokens: AccessTokens,
    lives: timedelta | None,
    is_renewed: bool,
) -> None:
    account = connected(workspace, lives=lives)
    found = renew_ending(workspace, tokens, ahead=AHEAD)
    assert found.renewed == ([account.id] if is_renewed else [])
    assert (found.not_renewed, found.refused) == ([], {})
    token = accounts.access_token(read(workspace, account), workspace.ledger.cipher)
    assert token == ("act.1" if is_renewed else "act.0")
    assert renew_ending(workspace, tokens, ahead=AHEAD).renewed == []
    assert server.refreshes == int(is_renewed)


def test_what_nothing_renews_is_not_asked_for(workspace: Workspace, tokens: AccessTokens) -> None:
    connected(workspace, refresh_token=None)
    revoked = connected(workspace, "bella")
    mark_revoked(workspace, revoked.id, why="tests", actor="tests")
    refresh = ToldRefresh()
    renew_ending(workspace, refresh, ahead=AHEAD)
    assert refresh.asked == []


def test_a_token_that_somebody_renewed_meanwhile_is_left_alone(workspace: Workspace) -> None:
    ids = {connected(workspace).id, connected(workspace, "bella").id}

    class Racing(ToldRefresh):
        def refresh(self, account_id: int) -> str:
            later = workspace.ledger.now() + DAY
            for other in ids - {account_id}:
                factories.change_account(workspace, other, access_token_expires_at=later)
            return super().refresh(account_id)

    refresh = Racing()
    assert renew_ending(workspace, refresh, ahead=AHEAD).renewed == refresh.asked
    assert len(refresh.asked) == 1


def test_a_refusal_revokes_that_account_and_the_others_are_renewed(
    workspace: Workspace, server: TokenServer, tokens: AccessTokens
) -> None:
    refused = connected(workspace, "bella", lives=-HOUR, refresh_token="rft.spent")
    good = connected(workspace)
    found = renew_ending(workspace, tokens, ahead=AHEAD)
    assert (found.renewed, found.not_renewed, found.refused) == ([good.id], [], {})
    assert read(workspace, refused).revoked
    assert list(named(workspace)) == [refused.id]
    assert "`reelflow accounts connect bella`" in named(workspace)[refused.id]


def test_what_passes_by_itself_is_left_to_later_and_needs_no_person(
    workspace: Workspace,
    server: TokenServer,
    tokens: AccessTokens,
    caplog: pytest.LogCaptureFixture,
) -> None:
    account = connected(workspace)
    server.scripted = [(503, b"busy")]
    with caplog.at_level(logging.WARNING):
        found = renew_ending(workspace, tokens, ahead=AHEAD)
    assert (found.renewed, found.not_renewed, found.refused) == ([], [account.id], {})
    assert "account acme is renewed later" in caplog.text
    assert named(workspace) == {}
    assert renew_ending(workspace, tokens, ahead=AHEAD).renewed == [account.id]


def test_an_error_that_stays_is_told_of_that_account_alone(workspace: Workspace) -> None:
    bad, good = connected(workspace), connected(workspace, "bella")
    refresh = ToldRefresh()
    refresh.ends[bad.id] = ConfigurationError("the Fernet key is another one")
    found = renew_ending(workspace, refresh, ahead=AHEAD)
    assert found.renewed == [good.id]
    assert found.refused == {bad.id: "account acme: the Fernet key is another one"}


def test_while_tiktok_is_out_of_reach_not_everybody_is_waited_for(workspace: Workspace) -> None:
    ids = [connected(workspace, f"account-{n}").id for n in range(FAILED_ACCOUNTS_MAX + 2)]
    refresh = ToldRefresh()
    refresh.ends = dict.fromkeys(ids, TikTokUnreachableError("no network"))
    assert sorted(renew_ending(workspace, refresh, ahead=AHEAD).not_renewed) == ids
    assert len(refresh.asked) == FAILED_ACCOUNTS_MAX


def test_accounts_whose_tokens_are_never_renewed_keep_no_other_from_it(
    workspace: Workspace,
) -> None:
    ids = [connected(workspace, f"account-{n}").id for n in range(FAILED_ACCOUNTS_MAX + 1)]
    failing, good = ids[: FAILED_ACCOUNTS_MAX - 1], ids[FAILED_ACCOUNTS_MAX - 1 :]
    refresh = ToldRefresh()
    refresh.ends = dict.fromkeys(failing, TikTokUnreachableError("busy", code="token_not_renewed"))
    found = renew_ending(workspace, refresh, ahead=AHEAD)
    assert (sorted(found.renewed), sorted(found.not_renewed)) == (good, failing)


def test_however_many_fail_each_round_may_begin_with_another_account(workspace: Workspace) -> None:
    ids = [connected(workspace, f"account-{n}").id for n in range(2 * FAILED_ACCOUNTS_MAX)]
    refresh = ToldRefresh()
    refresh.ends = dict.fromkeys(ids[:-1], TikTokUnreachableError("busy"))
    for _ in range(40):  # half of the accounts are asked each time, whoever they are
        renew_ending(workspace, refresh, ahead=AHEAD)
    assert set(refresh.asked) == set(ids)


# what a person must do


@pytest.mark.parametrize(
    ("ends_in", "said"),
    [(WARN_AHEAD + SECOND, None), (WARN_AHEAD, "ends at"), (-SECOND, "ended at"), (None, None)],
)
@pytest.mark.parametrize("refresh_token", ["rft.0", None])
def test_an_access_that_only_the_creator_renews_is_named_ahead_of_its_end(
    workspace: Workspace, ends_in: timedelta | None, said: str | None, refresh_token: str | None
) -> None:
    # Beside it the end of the other token, which says nothing of the access.
    lives, renewable_for = (ends_in, DAY) if refresh_token is None else (HOUR, ends_in)
    account = connected(
        workspace, lives=lives, renewable_for=renewable_for, refresh_token=refresh_token
    )
    found = named(workspace)
    assert list(found) == ([account.id] if said else [])
    if said:
        assert f"the access to account acme {said} " in found[account.id]
        assert "To fix: `reelflow accounts connect acme`" in found[account.id]


def test_an_account_that_was_added_by_hand_is_not_named(
    workspace: Workspace, account: Account
) -> None:
    assert named(workspace) == {}


def test_an_access_that_ended_is_named_for_a_day(workspace: Workspace, clock: Clock) -> None:
    account = connected(workspace)
    mark_revoked(workspace, account.id, why="its creator removed the app", actor="tests")
    clock.advance(NAMED_FOR - SECOND)
    assert "its creator removed the app" in named(workspace)[account.id]
    clock.advance(SECOND)
    assert named(workspace) == {}


def test_an_access_that_ended_is_named_for_as_long_as_posts_wait_for_it(
    workspace: Workspace, clock: Clock, make_post: Callable[..., Post]
) -> None:
    account = connected(workspace)
    make_post(account)
    mark_revoked(workspace, account.id, why="its creator removed the app", actor="tests")
    clock.advance(30 * DAY)
    assert "posts that wait for it: 1" in named(workspace)[account.id]


@pytest.mark.parametrize(
    ("post", "is_named"),
    [
        ({"reason_code": "scope_not_authorized"}, True),
        ({"reason_code": "privacy_missing"}, False),
        # Connecting the account again does not release it.
        ({"reason_code": ACCOUNT_REVOKED, "wants_approval": True}, False),
    ],
)
def test_an_access_that_does_not_suffice_is_named_while_posts_wait_for_another(
    workspace: Workspace,
    account: Account,
    make_post: Callable[..., Post],
    post: dict[str, object],
    is_named: bool,
) -> None:
    make_post(account, state=PostState.HELD, **post)
    assert list(named(workspace)) == ([account.id] if is_named else [])


def test_no_token_is_in_what_is_told_or_logged(
    workspace: Workspace,
    tokens: AccessTokens,
    server: TokenServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    connected(workspace, renewable_for=DAY)
    connected(workspace, "bella", refresh_token="rft.spent", lives=-HOUR)
    with caplog.at_level(logging.DEBUG):
        found = renew_ending(workspace, tokens, ahead=AHEAD)
    told = f"{caplog.text}{found}{named(workspace)}"
    assert "act." not in told
    assert "rft." not in told
