"""Access tokens: used while they live, renewed once, and never at the cost of the account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import (
    AccountRevokedError,
    ConfigurationError,
    TikTokUnreachableError,
)
from reelflow.ledger import accounts, token_refresh
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.revocation import mark_revoked
from reelflow.services.accounts.tokens import AHEAD_RETRY, REFRESH_AHEAD, AccessTokens
from reelflow.services.workspace import Workspace
from tests import factories
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES
from tests.token_server import TokenServer, token_server

pytestmark = ON_BOTH_DATABASES

HOUR = timedelta(hours=1)

#: Answers that say nothing of the account.
NO_USE = pytest.mark.parametrize(
    "answer",
    [
        pytest.param((503, b"<html>busy</html>"), id="503"),
        pytest.param((500, b""), id="cut"),
        pytest.param((429, b"{}"), id="429"),
        pytest.param((200, b"{}"), id="nothing"),
        pytest.param((200, b"<html>hello</html>"), id="a page"),
    ],
)


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with token_server() as server:
        yield server


@pytest.fixture
def tokens(workspace: Workspace, server: TokenServer) -> Iterator[AccessTokens]:
    with server.client() as oauth:
        yield AccessTokens(workspace, oauth, actor="tests")


def connected(workspace: Workspace, *, lives: timedelta) -> Account:
    """Store an account that the server knows, whose access token has some life left."""
    account = factories.make_account(workspace)
    now = workspace.ledger.now()
    tokens = accounts.TokenSet("act.0", now + lives, "rft.0", now + 365 * 24 * HOUR)
    with workspace.ledger.write() as session:
        stored = accounts.get(session, account.id, lock=True)
        accounts.store_tokens(stored, workspace.ledger.cipher, tokens, now=now)
    return read(workspace, account)


def read(workspace: Workspace, account: Account) -> Account:
    with workspace.ledger.read() as session:
        return accounts.get(session, account.id)


def stored_tokens(workspace: Workspace, account: Account) -> tuple[str, str | None]:
    kept, cipher = read(workspace, account), workspace.ledger.cipher
    return accounts.access_token(kept, cipher), accounts.refresh_token(kept, cipher)


def test_a_token_added_by_hand_is_used_as_it_is(
    tokens: AccessTokens, server: TokenServer, account: Account
) -> None:
    assert tokens.get(account.id) == "act.acme"
    assert server.refreshes == 0


def test_a_token_with_enough_life_is_used_as_it_is(
    tokens: AccessTokens, server: TokenServer, workspace: Workspace
) -> None:
    account = connected(workspace, lives=REFRESH_AHEAD + timedelta(seconds=1))
    assert tokens.get(account.id) == "act.0"
    assert server.refreshes == 0


@pytest.mark.parametrize("lives", [REFRESH_AHEAD, timedelta(0), -HOUR])
def test_a_token_that_ends_soon_or_has_ended_is_renewed_and_stored_with_its_rotated_partner(
    tokens: AccessTokens, workspace: Workspace, clock: Clock, lives: timedelta
) -> None:
    account = connected(workspace, lives=lives)
    assert tokens.get(account.id) == "act.1"
    assert stored_tokens(workspace, account) == ("act.1", "rft.1")
    kept = read(workspace, account)
    assert kept.access_token_expires_at == clock() + 24 * HOUR
    assert kept.refresh_token_expires_at == clock() + 365 * 24 * HOUR
    assert (kept.token_version, kept.refreshing_until) == (account.token_version + 1, None)
    assert accounts.granted_scopes(kept) == {"user.info.basic", "video.publish"}
    assert tokens.get(account.id) == "act.1"


@pytest.mark.parametrize("life", [1e30, "3600.0", None])
def test_rotated_tokens_of_unknown_life_are_stored_and_renewed_once_tiktok_refuses_them(
    tokens: AccessTokens, server: TokenServer, workspace: Workspace, life: object
) -> None:
    account = connected(workspace, lives=-HOUR)
    server.access_token, server.refresh_token = "act.new", "rft.new"
    server.scripted = [(200, server.grant(expires_in=life, refresh_expires_in=life))]
    assert tokens.get(account.id) == "act.new"
    assert stored_tokens(workspace, account) == ("act.new", "rft.new")
    kept = read(workspace, account)
    assert (kept.access_token_expires_at, kept.refresh_token_expires_at) == (None, None)
    assert tokens.get(account.id) == "act.new"
    assert tokens.renew(account.id, "act.new") == "act.1"


def test_a_refresh_that_keeps_the_refresh_token_is_as_good(
    tokens: AccessTokens, server: TokenServer, workspace: Workspace
) -> None:
    account = connected(workspace, lives=-HOUR)
    server.scripted = [(200, server.grant(access_token="act.new"))]
    assert tokens.get(account.id) == "act.new"
    assert stored_tokens(workspace, account) == ("act.new", "rft.0")


def test_a_refused_token_is_renewed_once_and_who_comes_later_gets_the_new_one(
    tokens: AccessTokens, server: TokenServer, workspace: Workspace
) -> None:
    account = connected(workspace, lives=24 * HOUR)
    assert tokens.renew(account.id, "act.0") == "act.1"
    assert tokens.renew(account.id, "act.0") == "act.1"
    assert server.refreshes == 1


def test_refresh_renews_a_token_that_lives(tokens: AccessTokens, workspace: Workspace) -> None:
    account = connected(workspace, lives=24 * HOUR)
    assert tokens.refresh(account.id) == "act.1"


def test_refresh_of_a_token_added_by_hand_says_what_is_missing_and_revokes_nothing(
    tokens: AccessTokens, workspace: Workspace, account: Account
) -> None:
    with pytest.raises(ConfigurationError, match="`reelflow accounts connect acme`"):
        tokens.refresh(account.id)
    assert not read(workspace, account).revoked


@NO_USE
def test_a_refresh_that_fails_leaves_a_living_token_in_use_and_the_account_as_it_was(
    tokens: AccessTokens,
    server: TokenServer,
    workspace: Workspace,
    clock: Clock,
    answer: tuple[int, bytes],
) -> None:
    account = connected(workspace, lives=REFRESH_AHEAD - timedelta(minutes=1))
    server.scripted = [answer]
    assert tokens.get(account.id) == "act.0"
    assert tokens.get(account.id) == "act.0"  # not asked again at once
    assert server.refreshes == 0
    assert not read(workspace, account).revoked
    clock.advance(AHEAD_RETRY)
    assert tokens.get(account.id) == "act.1"


@NO_USE
def test_an_expired_token_that_cannot_be_renewed_now_says_that_nothing_was_sent(
    tokens: AccessTokens, server: TokenServer, workspace: Workspace, answer: tuple[int, bytes]
) -> None:
    account = connected(workspace, lives=-HOUR)
    server.scripted = [answer]
    with pytest.raises(TikTokUnreachableError, match="token of account acme cannot be renewed now"):
        tokens.get(account.id)
    assert not read(workspace, account).revoked
    assert tokens.get(account.id) == "act.1"


def test_without_a_network_the_account_is_not_revoked(workspace: Workspace) -> None:
    account = connected(workspace, lives=-HOUR)
    with token_server() as gone:
        oauth = gone.client()
    with oauth, pytest.raises(TikTokUnreachableError):
        AccessTokens(workspace, oauth, actor="tests").get(account.id)
    assert not read(workspace, account).revoked


@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client", "invalid_request"])
def test_an_app_that_is_refused_is_configuration_and_no_revocation(
    tokens: AccessTokens, server: TokenServer, workspace: Workspace, error: str
) -> None:
    account = connected(workspace, lives=-HOUR)
    server.scripted = [(200, b'{"error": "%s"}' % error.encode())]
    with pytest.raises(ConfigurationError, match=error):
        tokens.get(account.id)
    assert not read(workspace, account).revoked
    assert tokens.get(account.id) == "act.1"


def test_a_refused_refresh_token_revokes_the_account_and_holds_its_posts(
    tokens: AccessTokens,
    server: TokenServer,
    workspace: Workspace,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
) -> None:
    account = connected(workspace, lives=-HOUR)
    post = make_post(account)
    server.refresh_token = "rft.another"
    with pytest.raises(AccountRevokedError, match="`reelflow accounts connect acme`") as caught:
        tokens.get(account.id)
    assert caught.value.code == "account_revoked"
    kept = read(workspace, account)
    assert kept.revoked
    assert kept.revoked_because == "TikTok does not renew its tokens (invalid_grant)"
    assert (read_post(post.id).state, read_post(post.id).reason_code) == ("HELD", "account_revoked")
    for ask in (tokens.get, tokens.refresh, lambda one: tokens.renew(one, "act.0")):
        with pytest.raises(AccountRevokedError):
            ask(account.id)


def test_a_refresh_refused_after_one_without_an_answer_says_why(
    tokens: AccessTokens, server: TokenServer, workspace: Workspace
) -> None:
    account = connected(workspace, lives=-HOUR)
    server.scripted = [(503, b"busy"), (200, b'{"error": "invalid_grant"}')]
    with pytest.raises(TikTokUnreachableError):
        tokens.get(account.id)
    with pytest.raises(AccountRevokedError, match="may have spent the refresh token"):
        tokens.get(account.id)


def test_a_refused_token_that_nothing_renews_revokes_the_account(
    tokens: AccessTokens, workspace: Workspace, account: Account
) -> None:
    with pytest.raises(AccountRevokedError, match="no refresh token to renew it with"):
        tokens.renew(account.id, "act.acme")
    assert read(workspace, account).revoked


def test_without_the_apps_key_a_living_token_is_used_and_an_expired_one_says_what_is_missing(
    workspace: Workspace,
) -> None:
    tokens = AccessTokens(workspace, None, actor="tests")
    account = connected(workspace, lives=timedelta(minutes=1))
    assert tokens.get(account.id) == "act.0"
    with pytest.raises(ConfigurationError, match="login and password of the connection tiktok_app"):
        tokens.renew(account.id, "act.0")
    assert not read(workspace, account).revoked


def test_a_wrong_fernet_key_is_configuration_and_revokes_nothing(
    tokens: AccessTokens, workspace: Workspace, server: TokenServer
) -> None:
    account = connected(workspace, lives=-HOUR)
    with workspace.ledger.write() as session:
        accounts.get(session, account.id, lock=True).refresh_token_encrypted = b"tampered"
    with pytest.raises(ConfigurationError, match="refresh token of account acme cannot be decry"):
        tokens.get(account.id)
    kept = read(workspace, account)
    assert (kept.revoked, kept.refreshing_until, server.refreshes) == (False, None, 0)


def test_tokens_of_another_account_are_never_stored(
    tokens: AccessTokens, server: TokenServer, workspace: Workspace
) -> None:
    account = connected(workspace, lives=-HOUR)
    server.open_id = "open-stranger"
    with pytest.raises(Exception, match="tokens of another account") as caught:
        tokens.get(account.id)
    assert getattr(caught.value, "code", None) == "open_id_mismatch"
    assert stored_tokens(workspace, account) == ("act.0", "rft.0")


def test_while_another_process_refreshes_a_living_token_is_used(
    tokens: AccessTokens, server: TokenServer, workspace: Workspace, clock: Clock
) -> None:
    account = connected(workspace, lives=timedelta(minutes=5))
    claim(workspace, account)
    assert tokens.get(account.id) == "act.0"
    assert server.refreshes == 0


def test_the_claim_of_a_process_that_died_lapses(
    tokens: AccessTokens, workspace: Workspace, clock: Clock
) -> None:
    account = connected(workspace, lives=-HOUR)
    claim(workspace, account)
    clock.advance(workspace.rules.refresh_claim)
    assert tokens.get(account.id) == "act.1"


def test_a_refresh_that_hangs_keeps_no_worker_from_other_accounts(
    workspace: Workspace, server: TokenServer, clock: Clock
) -> None:
    rules = replace(workspace.rules, refresh_patience=timedelta(seconds=0.2))
    impatient = replace(workspace, rules=rules)
    account = connected(impatient, lives=-HOUR)
    claim(impatient, account)
    with (
        server.client() as oauth,
        pytest.raises(TikTokUnreachableError, match="by another process") as caught,
    ):
        AccessTokens(impatient, oauth, actor="tests").get(account.id)
    assert caught.value.retry_after_s == 30  # the task gives its worker back until then


def test_what_a_slow_refresh_brings_does_not_undo_a_revocation(
    workspace: Workspace, clock: Clock
) -> None:
    account = connected(workspace, lives=-HOUR)
    claim(workspace, account)
    mark_revoked(workspace, account.id, why="the creator left", actor="tests")
    with workspace.ledger.write() as session:
        assert not token_refresh.store_refreshed(
            session,
            workspace.ledger.cipher,
            account.id,
            accounts.TokenSet("act.late"),
            token_version=account.token_version,
            now=clock(),
        )
    assert stored_tokens(workspace, account) == ("act.0", "rft.0")


def claim(workspace: Workspace, account: Account) -> None:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        assert token_refresh.claim_refresh(
            session,
            account.id,
            token_version=account.token_version,
            now=now,
            until=now + workspace.rules.refresh_claim,
        )


def test_revoke_gives_the_token_up_at_tiktok_and_holds_the_posts(
    tokens: AccessTokens,
    server: TokenServer,
    workspace: Workspace,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
) -> None:
    account = connected(workspace, lives=24 * HOUR)
    post = make_post(account)
    assert tokens.revoke(account.id, why="mia said so") == [post.id]
    assert server.revoked == ["act.0"]
    assert read(workspace, account).revoked_because == "mia said so"
    assert read_post(post.id).state is PostState.HELD


@pytest.mark.parametrize("lives", [-HOUR, 24 * HOUR], ids=["expired", "dead before its time"])
def test_revoke_renews_a_dead_token_first_because_tiktok_refuses_it(
    tokens: AccessTokens, server: TokenServer, workspace: Workspace, lives: timedelta
) -> None:
    account = connected(workspace, lives=lives)
    server.access_token = "act.alive"
    tokens.revoke(account.id, why="mia said so")
    assert server.revoked == ["act.1"]


def test_revoke_of_a_dead_token_that_nothing_renews_has_nothing_to_give_up(
    tokens: AccessTokens, server: TokenServer, workspace: Workspace, account: Account
) -> None:
    tokens.revoke(account.id, why="mia said so")
    assert server.revoked == []
    assert read(workspace, account).revoked_because == "mia said so"


def test_a_revoke_that_tiktok_did_not_take_changes_nothing(
    tokens: AccessTokens, server: TokenServer, workspace: Workspace
) -> None:
    account = connected(workspace, lives=24 * HOUR)
    server.scripted = [(503, b"busy")]
    with pytest.raises(Exception, match="revoke"):
        tokens.revoke(account.id, why="mia said so")
    assert not read(workspace, account).revoked
