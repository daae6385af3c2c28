"""Connecting an account through the simulator's consent page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from reelflow.domain.post import PostState, PrivacyLevel
from reelflow.exceptions import ConfigurationError, TokenGrantRefusedError
from reelflow.ledger import accounts
from reelflow.ledger.models import Account, Post
from reelflow.ledger.platform_models import OAuthState
from reelflow.services.accounts.connect import (
    DEFAULT_SCOPES,
    STATE_LIFETIME,
    ConsentRequest,
    begin_connect,
    finish_connect,
)
from reelflow.services.accounts.enrolment import Connected
from reelflow.services.accounts.revocation import mark_revoked
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.oauth import OAuthClient
from tests import factories
from tests.consent import decide, query_of
from tests.data_folder import data_folder
from tests.factories import Clock
from tests.integration.simulator_process import Simulator

REDIRECT_URI = "http://127.0.0.1:8765/callback/"
AURORA, NORTH = "aurora.kitchen", "north.trail"


@pytest.fixture
def oauth(simulator: Simulator) -> Iterator[OAuthClient]:
    with OAuthClient(simulator.api, simulator.client_key, simulator.client_secret) as oauth:
        yield oauth


@pytest.fixture
def client(simulator: Simulator) -> Iterator[TikTokClient]:
    with TikTokClient(host=simulator.api) as client:
        yield client


@pytest.fixture
def begin(workspace: Workspace, oauth: OAuthClient) -> Callable[..., ConsentRequest]:
    def begin(name: str = "acme", **more: Any) -> ConsentRequest:
        return begin_connect(workspace, oauth, name=name, redirect_uri=REDIRECT_URI, **more)

    return begin


@pytest.fixture
def finish(
    workspace: Workspace, oauth: OAuthClient, client: TikTokClient
) -> Callable[[dict[str, str]], Connected]:
    def finish(query: dict[str, str]) -> Connected:
        return finish_connect(workspace, oauth, client, query, actor="tests")

    return finish


Begin = Callable[..., ConsentRequest]
Finish = Callable[[dict[str, str]], Connected]


def open_id_of(simulator: Simulator, username: str) -> str:
    return next(one["open_id"] for one in simulator.accounts if one["username"] == username)


def remembered(workspace: Workspace) -> list[OAuthState]:
    with workspace.ledger.read() as session:
        return list(session.scalars(select(OAuthState)))


def test_a_consent_stores_tokens_scopes_and_names_and_makes_the_inbox(
    workspace: Workspace, simulator: Simulator, client: TikTokClient, begin: Begin, finish: Finish,
    clock: Clock,
) -> None:  # fmt: skip
    request = begin(inbox_privacy_level=PrivacyLevel.SELF_ONLY)
    connected = finish(query_of(decide(request.url, AURORA)))
    with workspace.ledger.read() as session:
        account = accounts.by_name(session, "acme")
    assert account.id == connected.account.id
    assert account.open_id == open_id_of(simulator, AURORA)
    assert account.username == AURORA
    assert account.display_name
    assert accounts.granted_scopes(account) == set(DEFAULT_SCOPES)
    ends = account.access_token_expires_at, account.refresh_token_expires_at
    for end, days in zip(ends, (1, 365), strict=True):
        assert end is not None
        # TikTok tells whole seconds, cut off.
        assert timedelta(0) <= clock() + timedelta(days=days) - end <= timedelta(seconds=5)
    assert account.inbox_privacy_level == "SELF_ONLY"
    assert (data_folder(workspace).inbox / "acme").is_dir()
    client.creator_info(accounts.access_token(account, workspace.ledger.cipher))
    assert (connected.old_name, connected.released) == (None, [])


def test_connecting_again_keeps_the_row_takes_the_new_name_and_releases_the_posts(
    workspace: Workspace,
    begin: Begin,
    finish: Finish,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
) -> None:
    first = finish(query_of(decide(begin().url, AURORA))).account
    post = make_post(first)
    mark_revoked(workspace, first.id, why="the creator left", actor="tests")
    again = finish(query_of(decide(begin("new-name").url, AURORA)))
    assert again.account.id == first.id
    assert (again.old_name, again.released) == ("acme", [post.id])
    assert read_post(post.id).state is PostState.READY
    with workspace.ledger.read() as session:
        account = accounts.by_name(session, "new-name")
    assert (account.revoked, account.revoked_because) == (False, None)


def test_a_name_of_another_account_is_refused_and_what_was_granted_for_it_is_given_up(
    workspace: Workspace, simulator: Simulator, client: TikTokClient, begin: Begin, finish: Finish
) -> None:
    first = finish(query_of(decide(begin().url, AURORA))).account
    with pytest.raises(ConfigurationError, match="'acme' belongs to another TikTok account"):
        finish(query_of(decide(begin().url, NORTH)))
    with workspace.ledger.read() as session:
        assert [one.open_id for one in accounts.list_all(session)] == [first.open_id]
    client.creator_info(accounts.access_token(first, workspace.ledger.cipher))
    assert not simulator.is_authorized(NORTH)


def test_a_grant_that_cannot_be_given_up_changes_nothing_of_the_refusal(
    simulator: Simulator, begin: Begin, finish: Finish, caplog: pytest.LogCaptureFixture
) -> None:
    finish(query_of(decide(begin().url, AURORA)))
    simulator.fault("revoke", status=503)
    with pytest.raises(ConfigurationError, match="'acme' belongs to another TikTok account"):
        finish(query_of(decide(begin().url, NORTH)))
    assert "stays at TikTok until its creator removes it there" in caplog.text


def test_a_known_account_that_consents_under_anothers_name_keeps_its_own_and_its_access(
    workspace: Workspace, client: TikTokClient, begin: Begin, finish: Finish
) -> None:
    north = finish(query_of(decide(begin("north").url, NORTH))).account
    moon = finish(query_of(decide(begin("moon").url, AURORA))).account
    typo = begin("north", inbox_privacy_level=PrivacyLevel.SELF_ONLY)
    again = finish(query_of(decide(typo.url, AURORA)))
    assert (again.account.id, again.account.name) == (moon.id, "moon")
    assert (again.old_name, again.refused_name) == (None, "north")
    with workspace.ledger.read() as session:
        kept = [accounts.get(session, one.id) for one in (north, moon)]
    assert [(one.name, one.open_id) for one in kept] == [
        ("north", north.open_id),
        ("moon", moon.open_id),
    ]
    assert [one.inbox_privacy_level for one in kept] == [None, None]  # it was meant for the other
    for one in kept:
        client.creator_info(accounts.access_token(one, workspace.ledger.cipher))
    assert kept[1].token_version == moon.token_version + 1


def test_a_scope_that_was_not_granted_is_no_failure_and_is_not_stored(
    workspace: Workspace, begin: Begin, finish: Finish
) -> None:
    connected = finish(query_of(decide(begin().url, AURORA, leave_out="user.info.profile")))
    scopes = accounts.granted_scopes(connected.account)
    assert scopes == set(DEFAULT_SCOPES) - {"user.info.profile"}
    assert connected.account.username is None
    assert connected.account.display_name


def test_names_that_cannot_be_read_are_no_failure(
    simulator: Simulator, begin: Begin, finish: Finish
) -> None:
    simulator.fault("user_info", status=503)
    connected = finish(query_of(decide(begin().url, AURORA)))
    assert connected.account.username is None
    assert connected.account.revoked is False


def test_without_a_client_the_names_stay_unknown(
    workspace: Workspace, oauth: OAuthClient, begin: Begin
) -> None:
    query = query_of(decide(begin().url, AURORA))
    connected = finish_connect(workspace, oauth, None, query, actor="tests")
    assert connected.account.username is None


def test_who_does_not_consent_is_told_how_to_go_on(begin: Begin, finish: Finish) -> None:
    with pytest.raises(TokenGrantRefusedError, match="did not consent"):
        finish(query_of(decide(begin().url, AURORA, decision="cancel")))


def test_the_page_is_shown_though_somebody_is_signed_in(begin: Begin) -> None:
    assert "disable_auto_auth=1" in begin().url  # the next account may be another one


def test_an_answer_works_once(begin: Begin, finish: Finish) -> None:
    query = query_of(decide(begin().url, AURORA))
    finish(query)
    with pytest.raises(ConfigurationError, match="nobody waits for this answer") as caught:
        finish(query)
    assert caught.value.code == "oauth_state"


@pytest.mark.parametrize("state", [None, "", "guessed", "\ud800"])
def test_an_answer_with_a_state_of_nobody_is_refused_and_takes_nothing_away(
    workspace: Workspace, begin: Begin, finish: Finish, state: str | None
) -> None:
    query = query_of(decide(begin().url, AURORA))
    with pytest.raises(ConfigurationError, match="nobody waits for this answer"):
        finish({"code": query["code"]} | ({} if state is None else {"state": state}))
    assert finish(query).account.name == "acme"
    assert remembered(workspace) == []


def test_an_answer_that_comes_too_late_is_refused(
    begin: Begin, finish: Finish, clock: Clock
) -> None:
    query = query_of(decide(begin().url, AURORA))
    clock.advance(STATE_LIFETIME)
    with pytest.raises(ConfigurationError, match="15 minutes late"):
        finish(query)


def test_attempts_that_nobody_finished_are_forgotten(
    workspace: Workspace, begin: Begin, clock: Clock
) -> None:
    begin()
    clock.advance(STATE_LIFETIME)
    begin("other")
    assert [row.account_name for row in remembered(workspace)] == ["other"]


def test_neither_state_nor_verifier_can_be_read_from_the_ledger(
    workspace: Workspace, begin: Begin
) -> None:
    request = begin()
    [row] = remembered(workspace)
    database = (data_folder(workspace).root / "reelflow.db").read_bytes()
    assert request.state.encode() not in database
    assert row.state_sha256 != request.state
    assert request.state not in repr(request)
    verifier = workspace.ledger.cipher.decrypt(
        row.code_verifier_encrypted, bound_to=f"code_verifier {row.state_sha256}", what="it"
    )
    assert verifier.encode() not in database


def test_base64url_is_what_an_app_that_wants_it_gets(
    simulator: Simulator, begin: Begin, finish: Finish
) -> None:
    query = query_of(decide(begin(challenge_encoding="base64url").url, AURORA))
    with pytest.raises(ConfigurationError, match=r"other encoding of the PKCE challenge"):
        finish(query)  # the simulated app wants TikTok's hex


def test_a_name_that_cannot_be_a_folder_is_refused_before_a_browser_opens(
    workspace: Workspace, begin: Begin
) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a folder"):
        begin("../acme")
    assert remembered(workspace) == []


def test_a_row_of_another_fernet_key_is_configuration(
    workspace: Workspace, begin: Begin, finish: Finish
) -> None:
    query = query_of(decide(begin().url, AURORA))
    with workspace.ledger.write() as session:
        session.scalars(select(OAuthState)).one().code_verifier_encrypted = b"tampered"
    with pytest.raises(ConfigurationError, match="REELFLOW_FERNET_KEY is not the key"):
        finish(query)


def test_the_tokens_of_the_account_are_in_the_ledger_encrypted_alone(
    workspace: Workspace, begin: Begin, finish: Finish
) -> None:
    account: Account = finish(query_of(decide(begin().url, AURORA))).account
    token = accounts.access_token(account, workspace.ledger.cipher)
    refresh = accounts.refresh_token(account, workspace.ledger.cipher)
    assert refresh is not None
    files = [path.read_bytes() for path in data_folder(workspace).root.rglob("*") if path.is_file()]
    for secret in (token, refresh):
        assert not any(secret.encode() in content for content in files)
    assert factories.FERNET_KEY.encode() not in b"".join(files)
