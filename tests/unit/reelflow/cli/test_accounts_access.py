"""``reelflow accounts refresh`` and ``revoke`` against the simulator."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import TikTokAuthError
from reelflow.ledger import accounts
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.enrolment import store_access
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient
from tests.integration.simulator_process import Simulator
from tests.unit.reelflow.cli.conftest import Run


@pytest.fixture
def connected(
    run: Run, workspace: Workspace, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Account:
    """The simulator's first creator, with both tokens, and the connection of its app."""
    fields = {"conn_type": "tiktok", "host": simulator.api, "login": simulator.client_key}
    fields["password"] = simulator.client_secret
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", json.dumps(fields))
    creator = simulator.accounts[0]
    tokens = accounts.TokenSet(creator["access_token"], None, creator["refresh_token"])
    return store_access(
        workspace, open_id=creator["open_id"], name="acme", tokens=tokens, actor="tests"
    ).account


def token_of(workspace: Workspace, account: Account) -> str:
    with workspace.ledger.read() as session:
        return accounts.access_token(accounts.get(session, account.id), workspace.ledger.cipher)


def works(simulator: Simulator, token: str) -> bool:
    with TikTokClient(host=simulator.api) as client:
        try:
            client.creator_info(token)
        except TikTokAuthError:
            return False
    return True


def test_refresh_renews_the_tokens_and_says_until_when_they_live(
    run: Run, workspace: Workspace, simulator: Simulator, connected: Account
) -> None:
    old = token_of(workspace, connected)
    result = run("accounts", "refresh", "acme")
    assert result.exit_code == 0, result.stderr
    assert "Account acme has new tokens." in result.stdout
    assert "can be renewed until" in result.stdout
    new = token_of(workspace, connected)
    assert (new != old, works(simulator, new)) == (True, True)
    assert new not in result.output


def test_refresh_of_an_account_that_tiktok_gave_up_holds_its_posts_and_says_what_to_do(
    run: Run,
    simulator: Simulator,
    connected: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post = make_post(connected)
    simulator.reset()  # another consent's tokens take the place of ours
    with simulator.oauth_client() as oauth:
        oauth.refresh_token(simulator.accounts[0]["refresh_token"])
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in a terminal: nobody set it up
    result = run("accounts", "refresh", "acme")
    assert result.exit_code == 2
    assert "the access to account acme ended: " in result.stderr.splitlines()[0]
    assert "posts are held" not in result.stderr  # that is for a log
    assert "TikTok does not renew its tokens (invalid_grant)" in result.stderr
    assert "`reelflow accounts connect acme`" in result.stderr
    assert read_post(post.id).state is PostState.HELD


def test_refresh_of_an_account_added_by_hand_says_what_is_missing(
    run: Run, connected: Account, make_account: Callable[..., Account]
) -> None:
    make_account("byhand")
    result = run("accounts", "refresh", "byhand")
    assert result.exit_code == 2
    assert "has no refresh token" in result.stderr
    assert json.loads(run("accounts", "list", "--json").stdout)[1]["revoked"] is False


def test_revoke_asks_gives_the_access_up_at_tiktok_and_holds_the_posts(
    run: Run,
    workspace: Workspace,
    simulator: Simulator,
    connected: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
) -> None:
    post, token = make_post(connected), token_of(workspace, connected)
    asked = run("accounts", "revoke", "acme", stdin="n\n")
    assert asked.exit_code == 1
    assert works(simulator, token)
    result = run("accounts", "revoke", "acme", stdin="y\n")
    assert result.exit_code == 0, result.stderr
    assert f"Held: {post.id}. `reelflow accounts connect acme` releases them." in result.stdout
    assert not works(simulator, token)
    held = read_post(post.id)
    assert held.state is PostState.HELD
    assert "given up by person:mia with `reelflow accounts revoke`" in held.reason
    assert token not in result.output


def test_revoke_only_here_leaves_tiktok_alone(
    run: Run,
    workspace: Workspace,
    simulator: Simulator,
    connected: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = token_of(workspace, connected)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in a terminal: nobody set it up
    result = run("accounts", "revoke", "acme", "--yes", "--only-here")
    assert (result.exit_code, result.output) == (0, "Account acme is revoked.\n")
    assert works(simulator, token)
    with workspace.ledger.read() as session:
        assert accounts.by_name(session, "acme").revoked


def test_a_revoke_that_does_not_reach_tiktok_changes_nothing(
    run: Run, workspace: Workspace, simulator: Simulator, connected: Account
) -> None:
    simulator.fault("revoke", status=503)
    result = run("accounts", "revoke", "acme", "--yes")
    assert result.exit_code == 2
    with workspace.ledger.read() as session:
        assert not accounts.by_name(session, "acme").revoked


@pytest.mark.parametrize("command", [("refresh",), ("revoke", "--yes")])
def test_an_unknown_account_is_answered_with_those_that_exist(
    run: Run, connected: Account, command: tuple[str, ...]
) -> None:
    result = run("accounts", *command, "nobody")
    assert result.exit_code == 2
    assert "no account is called 'nobody' (accounts: acme)" in result.stderr
