"""OAuthClient against the simulator's authorization server, with its consent page clicked."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from reelflow.exceptions import ConfigurationError, TikTokAuthError, TokenGrantRefusedError
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.oauth import OAuthClient
from reelflow.tiktok.oauth_models import TokenGrant
from reelflow.tiktok.oauth_protocol import parse_callback
from reelflow.tiktok.pkce import ChallengeEncoding, code_challenge, new_code_verifier
from tests.integration.simulator_process import Simulator

REDIRECT_URI = "http://127.0.0.1:8400/callback/"
SCOPES = ("user.info.basic", "video.list", "video.publish")


@pytest.fixture
def client(simulator: Simulator) -> Iterator[OAuthClient]:
    with simulator.oauth_client() as client:
        yield client


def click(
    client: OAuthClient, username: str, challenge: str, decision: str = "authorize"
) -> dict[str, str]:
    """Consent as ``username`` and return the query that the browser brings back."""
    url = client.authorize_url(
        redirect_uri=REDIRECT_URI,
        scopes=SCOPES,
        state="st&te",
        code_challenge=challenge,
        disable_auto_auth=True,
    )
    assert requests.get(url, timeout=10).status_code == 200
    form = [("account", username), ("decision", decision)]
    form += [("scope", scope) for scope in SCOPES if scope != "video.list"]  # granted in part
    answer = requests.post(url, data=form, timeout=10, allow_redirects=False)
    location = answer.headers["Location"]
    assert location.startswith(f"{REDIRECT_URI}?")
    return dict(parse_qsl(urlsplit(location).query))


def connect(client: OAuthClient, username: str, encoding: ChallengeEncoding = "hex") -> TokenGrant:
    verifier = new_code_verifier()
    query = click(client, username, code_challenge(verifier, encoding=encoding))
    callback = parse_callback(query, state="st&te")
    assert callback.scopes == {"user.info.basic", "video.publish"}
    return client.exchange_code(callback.code, REDIRECT_URI, code_verifier=verifier)


def test_a_creator_connects_and_the_tokens_work(client: OAuthClient, simulator: Simulator) -> None:
    creator = simulator.accounts[1]
    grant = connect(client, creator["username"])
    assert grant.open_id == creator["open_id"]
    assert grant.scopes == {"user.info.basic", "video.publish"}
    assert 86_000 < (grant.expires_in_s or 0) <= 86_400
    with simulator.client(TikTokLimits()) as api:
        assert api.creator_info(grant.access_token).creator_username == creator["username"]
        with pytest.raises(TikTokAuthError) as caught:
            api.list_videos(grant.access_token)
    assert caught.value.code == "scope_not_authorized"


def test_a_refresh_replaces_both_tokens_and_the_old_one_is_refused(
    client: OAuthClient, simulator: Simulator
) -> None:
    first = connect(client, simulator.accounts[1]["username"])
    second = client.refresh_token(first.refresh_token)
    assert second.open_id == first.open_id
    assert second.refresh_token != first.refresh_token
    with pytest.raises(TokenGrantRefusedError, match="connect the account") as caught:
        client.refresh_token(first.refresh_token)
    assert caught.value.code == "invalid_grant"
    assert first.refresh_token not in str(caught.value)
    assert client.refresh_token(second.refresh_token).access_token != second.access_token


def test_a_revoked_account_is_refused_everywhere(client: OAuthClient, simulator: Simulator) -> None:
    grant = connect(client, simulator.accounts[1]["username"])
    client.revoke_token(grant.access_token)
    with simulator.client(TikTokLimits()) as api, pytest.raises(TikTokAuthError):
        api.creator_info(grant.access_token)
    with pytest.raises(TokenGrantRefusedError):
        client.refresh_token(grant.refresh_token)


def test_a_creator_who_refuses_is_told_apart(client: OAuthClient, simulator: Simulator) -> None:
    query = click(client, simulator.accounts[1]["username"], "0" * 64, decision="refuse")
    with pytest.raises(TokenGrantRefusedError, match="did not consent"):
        parse_callback(query, state="st&te")


def test_a_challenge_in_the_encoding_of_the_rfc_fails_at_the_token_call_with_the_fix(
    client: OAuthClient, simulator: Simulator
) -> None:
    with pytest.raises(ConfigurationError, match="other encoding of the PKCE challenge"):
        connect(client, simulator.accounts[1]["username"], encoding="base64url")


def test_a_code_works_once(client: OAuthClient, simulator: Simulator) -> None:
    verifier = new_code_verifier()
    query = click(client, simulator.accounts[1]["username"], code_challenge(verifier))
    client.exchange_code(query["code"], REDIRECT_URI, code_verifier=verifier)
    with pytest.raises(TokenGrantRefusedError):
        client.exchange_code(query["code"], REDIRECT_URI, code_verifier=verifier)


def test_another_apps_secret_is_a_setting_to_correct(simulator: Simulator) -> None:
    with (
        OAuthClient(simulator.api, simulator.client_key, "s3cret-of-another") as client,
        pytest.raises(ConfigurationError, match="tiktok_app") as caught,
    ):
        client.refresh_token(simulator.accounts[0]["refresh_token"])
    assert caught.value.code == "invalid_client"
    assert "s3cret" not in str(caught.value)
