from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from reelflow.api.app import API_PATH
from reelflow.domain.post import PostState
from reelflow.ledger import accounts
from reelflow.ledger.models import Account, Post
from reelflow.ledger.platform_models import OAuthState
from reelflow.services.accounts.connect import OAUTH_CALLBACK_PATH, begin_connect
from reelflow.services.accounts.revocation import mark_revoked
from reelflow.services.workspace import Workspace
from tests.factories import Clock, read_post
from tests.token_server import TokenServer
from tests.unit.reelflow.api.conftest import Web

REDIRECT_URI = f"https://reelflow.example{OAUTH_CALLBACK_PATH}"
CALLBACK = OAUTH_CALLBACK_PATH.removeprefix(API_PATH)
ComeBack = Callable[..., httpx.Response]


@pytest.fixture
def state(workspace: Workspace, tokens: TokenServer) -> str:
    """The state of a connection that waits for its creator."""
    with tokens.client() as oauth:
        request = begin_connect(workspace, oauth, name="acme", redirect_uri=REDIRECT_URI)
    return request.state


@pytest.fixture
def come_back(web: Web, state: str) -> ComeBack:
    """Bring a code and the state back from TikTok's consent page, unless told otherwise."""
    return lambda **params: web.get(CALLBACK, params={"code": "c0de", "state": state, **params})


def test_a_creator_who_consented_is_connected_once(
    workspace: Workspace, tokens: TokenServer, come_back: ComeBack
) -> None:
    tokens.scripted.append((200, tokens.grant()))
    answer = come_back()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "The account is connected to Reelflow as acme." in answer.text
    with workspace.ledger.read() as session:
        account = accounts.by_name(session, "acme")
    assert accounts.access_token(account, workspace.ledger.cipher) == "act.0"
    again = come_back()
    assert again.status_code == 400
    assert "This link was used already" in again.text


def test_connecting_again_lets_the_posts_go_that_had_waited(
    workspace: Workspace,
    tokens: TokenServer,
    account: Account,
    make_post: Callable[..., Post],
    come_back: ComeBack,
) -> None:
    post = make_post(account)
    mark_revoked(workspace, account.id, why="the creator left", actor="tests")
    tokens.scripted.append((200, tokens.grant()))
    answer = come_back()
    assert "Posts that had waited for it go on: 1." in answer.text
    assert read_post(workspace, post.id).state is PostState.READY


def test_a_creator_who_declined_reads_so(web: Web, workspace: Workspace, state: str) -> None:
    params = {"error": "access_denied", "error_description": "<b>no</b>", "state": state}
    answer = web.get(CALLBACK, params=params)
    assert answer.status_code == 400
    assert "The account is not connected" in answer.text
    assert "You did not consent at TikTok (access_denied)." in answer.text
    assert "<b>" not in answer.text
    with workspace.ledger.read() as session:
        assert accounts.list_all(session) == []


def test_a_creator_who_granted_less_reads_what_is_lacking(
    tokens: TokenServer, come_back: ComeBack
) -> None:
    tokens.scripted.append((200, tokens.grant(scope="user.info.basic,video.upload")))
    answer = come_back()
    assert answer.status_code == 200
    assert "Not granted: video.publish (direct posts)." in answer.text


def test_a_creator_who_granted_all_that_posting_needs_reads_of_nothing_lacking(
    tokens: TokenServer, come_back: ComeBack
) -> None:
    tokens.scripted.append((200, tokens.grant(scope="video.publish,video.upload")))
    answer = come_back()
    assert answer.status_code == 200
    assert "The account is connected to Reelflow as acme." in answer.text
    assert "Not granted" not in answer.text


def test_a_creator_of_another_account_reads_that_the_link_was_not_for_them(
    workspace: Workspace,
    tokens: TokenServer,
    make_account: Callable[..., Account],
    come_back: ComeBack,
) -> None:
    make_account("acme", open_id="open-of-another")
    tokens.scripted.append((200, tokens.grant()))
    answer = come_back()
    assert answer.status_code == 400
    assert "This link was made for another TikTok account" in answer.text
    assert tokens.revoked == ["act.0"]  # the grant is in nobody's hands
    with tokens.client() as oauth:
        begun = begin_connect(workspace, oauth, name="acme", redirect_uri=REDIRECT_URI)
    make_account("moon", open_id=tokens.open_id)
    tokens.scripted.append((200, tokens.grant()))
    answer = come_back(state=begun.state)
    assert answer.status_code == 200
    assert "is connected to Reelflow as moon." in answer.text
    assert "another TikTok account, which was not connected now" in answer.text


def test_what_only_an_operator_can_mend_is_told_to_a_creator_without_our_settings(
    workspace: Workspace, tokens: TokenServer, come_back: ComeBack
) -> None:
    with workspace.ledger.write() as session:
        session.scalars(select(OAuthState)).one().code_verifier_encrypted = b"tampered"
    answer = come_back()
    assert answer.status_code == 400
    assert "is not set up right (fernet_key_wrong)" in answer.text
    assert "REELFLOW_FERNET_KEY" not in answer.text


def test_a_code_that_tiktok_refuses_is_explained(tokens: TokenServer, come_back: ComeBack) -> None:
    refusal = {"error": "invalid_grant", "error_description": "expired"}
    tokens.scripted.append((200, json.dumps(refusal).encode()))
    answer = come_back()
    assert answer.status_code == 400
    assert "invalid_grant" in answer.text


def test_a_tiktok_that_cannot_answer_is_tried_again_later(
    tokens: TokenServer, come_back: ComeBack
) -> None:
    tokens.scripted.append((503, b"<html>"))
    answer = come_back()
    assert answer.status_code == 503


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=c&state=",
        "code=c&state=<script>alert(1)</script>",
        "code=c&state=%00%ff%f0",
        "state=a&state=b&code=c&code=d",
        "error=<img src=x>&state=x",
    ],
)
def test_who_knows_no_state_gets_nothing_and_sees_nothing_of_it(web: Web, query: str) -> None:
    answer = web.get(f"{CALLBACK}?{query}")
    assert answer.status_code == 400
    assert "ask whoever sent you this link for a new one" in answer.text
    assert "`" not in answer.text  # a creator has no command line of ours
    assert "<script" not in answer.text
    assert "<img" not in answer.text


def test_a_state_is_worth_nothing_after_its_time(clock: Clock, come_back: ComeBack) -> None:
    clock.advance(timedelta(minutes=16))
    answer = come_back()
    assert (answer.status_code, "its 15 minutes have passed" in answer.text) == (400, True)


def test_a_query_without_end_is_not_looked_at(come_back: ComeBack) -> None:
    answer = come_back(code="c" * 9000)
    assert (answer.status_code, "not an answer" in answer.text) == (400, True)


def test_without_the_app_nothing_can_be_connected(open_web: Callable[..., Web]) -> None:
    answer = open_web(None).get(CALLBACK, params={"code": "c0de", "state": "s"})
    assert (answer.status_code, "AIRFLOW_CONN_TIKTOK_APP" in answer.text) == (503, True)


def test_neither_code_nor_state_is_logged(
    tokens: TokenServer, state: str, caplog: pytest.LogCaptureFixture, come_back: ComeBack
) -> None:
    caplog.set_level("DEBUG", logger="reelflow")
    tokens.scripted.append((200, b'{"error": "invalid_grant", "error_description": "x"}'))
    come_back(code="s3cret-code")
    logged = "\n".join(one.getMessage() for one in caplog.records if one.name[:4] == "reel")
    assert logged
    assert "s3cret-code" not in logged
    assert state not in logged
