import logging
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest

from reelflow.exceptions import (
    ConfigurationError,
    ReelflowError,
    TikTokUnavailableError,
    TikTokUnreachableError,
    TokenGrantRefusedError,
)
from reelflow.tiktok.oauth import OAuthClient
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http

REDIRECT_URI = "https://reelflow.example/callback"
GRANT = (
    b'{"open_id": "o-1", "scope": "video.publish", "access_token": "act.new", "expires_in": 86400,'
    b' "refresh_token": "rft.new", "refresh_expires_in": 31536000}'
)
SECRETS = ("s3cret-app", "s3cret-code", "s3cret-refresh", "s3cret-access")


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[OAuthClient]:
    with OAuthClient(f"http://{server.address}", "key", "s3cret-app") as client:
        yield client


def page_of(client: OAuthClient) -> str:
    url = client.authorize_url(redirect_uri=REDIRECT_URI, scopes=["video.publish"], state="s")
    return url.partition("?")[0]


def test_creators_consent_at_tiktok_or_where_the_simulator_runs() -> None:
    for host, origin, page in (
        ("open.tiktokapis.com", None, "https://www.tiktok.com"),
        ("http://127.0.0.1:9000", None, "http://127.0.0.1:9000"),
        ("http://127.0.0.1:9000", "http://localhost:9001", "http://localhost:9001"),
    ):
        with OAuthClient(host, "key", "s3cret", authorize_origin=origin) as client:
            assert page_of(client) == f"{page}/v2/auth/authorize/"


@pytest.mark.parametrize(
    ("host", "origin"), [("http://evil.example", None), ("127.0.0.1:1", "http://evil.example")]
)
def test_a_host_that_cannot_be_used_is_refused_at_once(host: str, origin: str | None) -> None:
    with pytest.raises(ConfigurationError):
        OAuthClient(host, "key", "s3cret", authorize_origin=origin)


def test_a_code_is_redeemed_and_a_token_renewed_and_given_up(
    server: ScriptedServer, client: OAuthClient
) -> None:
    server.answers = [http(200, GRANT), http(200, GRANT), http(200)]
    grant = client.exchange_code("s3cret-code", REDIRECT_URI, code_verifier="verifier")
    assert (grant.open_id, grant.access_token, grant.refresh_token) == ("o-1", "act.new", "rft.new")
    assert client.refresh_token("s3cret-refresh") == grant
    client.revoke_token("s3cret-access")
    exchange, refresh, revoke = server.received
    assert exchange.line == refresh.line == "POST /v2/oauth/token/ HTTP/1.1"
    assert revoke.line == "POST /v2/oauth/revoke/ HTTP/1.1"
    assert exchange.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(exchange.body.decode())["code_verifier"] == ["verifier"]
    assert parse_qs(refresh.body.decode())["refresh_token"] == ["s3cret-refresh"]
    assert parse_qs(revoke.body.decode())["token"] == ["s3cret-access"]
    assert not any("authorization" in received.headers for received in server.received)


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        (http(200, b'{"error": "invalid_grant"}'), TokenGrantRefusedError),
        (http(200, b'{"error": "invalid_client"}'), ConfigurationError),
        (http(503, b"<html>"), TikTokUnavailableError),
        (b"", TikTokUnavailableError),
    ],
)
def test_no_failure_shows_a_secret_or_is_repeated(
    server: ScriptedServer,
    client: OAuthClient,
    caplog: pytest.LogCaptureFixture,
    answer: bytes,
    error_class: type[ReelflowError],
) -> None:
    caplog.set_level(logging.DEBUG)
    server.is_cutting = not answer
    server.answers = [answer] * 3
    shown = repr(client)
    for call in (
        lambda: client.exchange_code("s3cret-code", REDIRECT_URI),
        lambda: client.refresh_token("s3cret-refresh"),
        lambda: client.revoke_token("s3cret-access"),
    ):
        with pytest.raises(error_class) as caught:
            call()
        error = caught.value
        shown += f"{error} {error!r} {error.context} {error.__context__!r}"
    assert len(server.received) == 3
    assert not [secret for secret in SECRETS if secret in shown + caplog.text]


def test_an_unreachable_host_is_told_apart_because_no_token_was_spent(closed_address: str) -> None:
    with (
        OAuthClient(f"http://{closed_address}", "key", "s3cret") as client,
        pytest.raises(TikTokUnreachableError, match="nothing was sent"),
    ):
        client.refresh_token("rft.1")
