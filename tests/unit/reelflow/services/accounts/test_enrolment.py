"""What storing an account's tokens changes, and what a stranger's names may hold."""

from __future__ import annotations

import json
from dataclasses import replace

from reelflow.domain.post import PrivacyLevel
from reelflow.domain.publication import MediaSource
from reelflow.ledger import accounts
from reelflow.ledger.models import Account
from reelflow.services.accounts.enrolment import Connected, store_access, store_names
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.oauth_models import TokenGrant
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http

GRANT = TokenGrant(
    open_id="open-acme",
    scopes=frozenset({"user.info.basic", "user.info.profile"}),
    access_token="act.1",
    expires_in_s=86_400,
    refresh_token="rft.1",
    refresh_expires_in_s=31_536_000,
)


def named(workspace: Workspace, server: ScriptedServer, account: Account, **user: str) -> Account:
    """Store the names that a server answers with, and read the account again."""
    answer = {"data": {"user": {"open_id": "open-acme", **user}}, "error": {"code": "ok"}}
    server.answers = [http(200, json.dumps(answer).encode())]
    with TikTokClient(host=f"http://{server.address}") as client:
        store_names(workspace, client, GRANT, account)
    with workspace.ledger.read() as session:
        return accounts.get(session, account.id)


def store(workspace: Workspace, **more: object) -> Connected:
    return store_access(
        workspace,
        open_id="open-acme",
        name="acme",
        tokens=accounts.TokenSet("act.1"),
        actor="tests",
        **more,  # type: ignore[arg-type]
    )


def test_what_is_not_said_stays_as_it_is(workspace: Workspace) -> None:
    store(
        workspace,
        inbox_privacy_level=PrivacyLevel.SELF_ONLY,
        video_source=MediaSource.PULL_FROM_URL,
    )
    kept = store(workspace).account
    assert kept.inbox_privacy_level == "SELF_ONLY"
    assert kept.video_source is MediaSource.PULL_FROM_URL


def test_tokens_by_hand_take_the_place_of_all_that_a_consent_gave(workspace: Workspace) -> None:
    first = store(workspace).account
    with workspace.ledger.write() as session:
        account = accounts.get(session, first.id, lock=True)
        tokens = accounts.TokenSet("act.1", None, "rft.1", None, frozenset({"video.list"}))
        accounts.store_tokens(account, workspace.ledger.cipher, tokens, now=workspace.ledger.now())
    kept = store(workspace).account
    assert kept.refresh_token_encrypted is None
    assert kept.scopes is None
    assert kept.token_version == first.token_version + 2


def test_names_are_stored_without_what_a_database_or_a_terminal_cannot_take(
    workspace: Workspace, server: ScriptedServer, account: Account
) -> None:
    hostile = "The \x00Bran\ud800d \x1b[2J\N{CLAPPER BOARD}" + "x" * 300
    kept = named(workspace, server, account, username="a" * 70, display_name=hostile)
    assert kept.username == "a" * 64
    assert kept.display_name is not None
    assert kept.display_name.isprintable()
    assert "[2J\N{CLAPPER BOARD}x" in kept.display_name
    assert len(kept.display_name) == 255


def test_a_name_that_tiktok_does_not_tell_any_more_is_forgotten(
    workspace: Workspace, server: ScriptedServer, account: Account
) -> None:
    named(workspace, server, account, username="paper.moon", display_name="Paper Moon")
    grant = replace(GRANT, scopes=frozenset({"video.publish"}))
    with TikTokClient(host=f"http://{server.address}") as client:
        store_names(workspace, client, grant, account)
    with workspace.ledger.read() as session:
        kept = accounts.get(session, account.id)
    assert (kept.username, kept.display_name) == (None, None)


def test_names_of_another_account_are_not_stored(
    workspace: Workspace, server: ScriptedServer, account: Account
) -> None:
    kept = named(workspace, server, account, open_id="open-stranger", username="stranger")
    assert kept.username is None
