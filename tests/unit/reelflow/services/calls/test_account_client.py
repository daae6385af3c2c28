"""TikTok as one account sees it: which token goes along, and what happens when it is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from reelflow.exceptions import TikTokAuthError, TikTokUnavailableError
from reelflow.ledger.models import Account
from reelflow.services.calls.account_client import AccountClient, AccountClients
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient
from tests.factories import account_clients
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http, ok


def refusal(code: str, http_status: int) -> bytes:
    return http(http_status, json.dumps({"error": {"code": code}}).encode())


PROCESSING = ok({"status": "PROCESSING_UPLOAD"})
REFUSED = refusal("access_token_invalid", 401)


@dataclass
class Tokens:
    """Tokens that are given out in their order."""

    left: list[str]
    renewed: list[str] = field(default_factory=list)

    def get(self, account_id: int) -> str:
        return self.left[0]

    def renew(self, account_id: int, refused_token: str) -> str:
        self.renewed.append(refused_token)
        self.left = self.left[1:] or self.left
        return self.left[0]


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[TikTokClient]:
    with TikTokClient(host=f"http://{server.address}") as client:
        yield client


def account_client(
    workspace: Workspace, client: TikTokClient, account: Account, *tokens: str
) -> tuple[AccountClient, Tokens]:
    source = Tokens(list(tokens))
    return AccountClients(workspace, client, source).of(account.id), source


def tokens_seen(server: ScriptedServer) -> list[str]:
    return [one.headers["authorization"].removeprefix("Bearer ") for one in server.received]


def test_without_a_source_of_tokens_the_stored_one_goes_along(
    workspace: Workspace, client: TikTokClient, server: ScriptedServer, account: Account
) -> None:
    server.answers = [PROCESSING]
    account_clients(workspace, client).fetch_status(account.id, "v_pub_file~v2-1.1")
    assert tokens_seen(server) == ["act.acme"]


def test_a_call_whose_token_is_refused_is_made_once_more_with_a_renewed_one(
    workspace: Workspace, client: TikTokClient, server: ScriptedServer, account: Account
) -> None:
    server.answers = [REFUSED, PROCESSING]
    tiktok, tokens = account_client(workspace, client, account, "act.old", "act.new")
    assert tiktok.fetch_status("v_pub_file~v2-1.1").status == "PROCESSING_UPLOAD"
    assert tokens_seen(server) == ["act.old", "act.new"]
    assert tokens.renewed == ["act.old"]


def test_videos_are_asked_about_with_the_accounts_token(
    workspace: Workspace, client: TikTokClient, server: ScriptedServer, account: Account
) -> None:
    server.answers = [ok({"videos": []})]
    assert account_clients(workspace, client).query_videos(account.id, ["7"]) == ()
    assert tokens_seen(server) == ["act.acme"]
    assert "/v2/video/query/" in server.received[0].line


def test_a_renewed_token_that_is_refused_too_ends_the_call(
    workspace: Workspace, client: TikTokClient, server: ScriptedServer, account: Account
) -> None:
    server.answers = [REFUSED, REFUSED]
    tiktok, _ = account_client(workspace, client, account, "act.old", "act.new")
    with pytest.raises(TikTokAuthError):
        tiktok.fetch_status("v_pub_file~v2-1.1")
    assert len(server.received) == 2


def test_a_token_for_which_there_is_no_other_is_not_sent_twice(
    workspace: Workspace, client: TikTokClient, server: ScriptedServer, account: Account
) -> None:
    server.answers = [REFUSED]
    tiktok, _ = account_client(workspace, client, account, "act.only")
    with pytest.raises(TikTokAuthError):
        tiktok.fetch_status("v_pub_file~v2-1.1")
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal("scope_not_authorized", 401), TikTokAuthError),
        (http(503, b"busy"), TikTokUnavailableError),
    ],
)
def test_no_other_failure_is_answered_with_another_token(
    workspace: Workspace,
    client: TikTokClient,
    server: ScriptedServer,
    account: Account,
    answer: bytes,
    error: type[Exception],
) -> None:
    server.answers = [answer]
    tiktok, tokens = account_client(workspace, client, account, "act.old", "act.new")
    with pytest.raises(error):
        tiktok.fetch_status("v_pub_file~v2-1.1")
    assert tokens.renewed == []
