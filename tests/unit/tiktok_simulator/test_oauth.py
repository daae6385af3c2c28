"""The authorization server: codes, exchanges, refreshes, revocations."""

import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tiktok_simulator.authorization import AuthorizationRequest, ReturnAddress
from tiktok_simulator.exceptions import OAUTH_ERRORS, OAuthError
from tiktok_simulator.oauth import CODE_LIFETIME_S
from tiktok_simulator.state import World

REDIRECT = "http://localhost:53117/callback/"
VERIFIER = "v" * 43
CLIENT = {"client_key": "aw0simulatedapp001", "client_secret": "simulated-app-secret"}
SCOPES = ("user.info.basic", "video.publish")


def consent(world: World, account: int = 0) -> str:
    """Let a creator agree and return the code."""
    request = AuthorizationRequest(
        back=ReturnAddress(REDIRECT, "s1"),
        scopes=SCOPES,
        code_challenge=hashlib.sha256(VERIFIER.encode()).hexdigest(),
        always_asks=False,
    )
    url = world.oauth.authorize(request, world.accounts[account], SCOPES)
    return parse_qs(urlsplit(url).query)["code"][0]


def exchange(world: World, good_code: str, **changes: str) -> dict[str, Any]:
    form = {
        **CLIENT,
        "grant_type": "authorization_code",
        "code": good_code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        **changes,
    }
    return world.oauth.answer_token(form)


def refresh(world: World, token: str) -> dict[str, Any]:
    form = {**CLIENT, "grant_type": "refresh_token", "refresh_token": token}
    return world.oauth.answer_token(form)


def refused(function: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(OAuthError) as caught:
        function(*arguments, **options)
    assert caught.value.error in OAUTH_ERRORS
    return caught.value.error


def test_the_callback_carries_code_scopes_and_state(world: World) -> None:
    request = AuthorizationRequest(ReturnAddress(REDIRECT, "s&1"), SCOPES, None, False)

    url = world.oauth.authorize(request, world.accounts[0], ("video.publish",))

    query = parse_qs(urlsplit(url).query)
    assert url.startswith(REDIRECT + "?")
    assert sorted(query) == ["code", "scopes", "state"]
    assert (query["scopes"], query["state"]) == (["video.publish"], ["s&1"])


def test_a_code_becomes_tokens_of_its_creator(world: World) -> None:
    answer = exchange(world, consent(world, account=2))

    assert answer["open_id"] == world.accounts[2].open_id
    assert answer["scope"] == "user.info.basic,video.publish"
    assert world.authenticate(answer["access_token"]) is world.accounts[2]


def test_a_code_works_once(world: World) -> None:
    code = consent(world)
    tokens = exchange(world, code)

    assert refused(exchange, world, code) == "invalid_grant"
    assert world.authenticate(tokens["access_token"]) is world.accounts[0]


def test_a_code_ends_after_ten_minutes(world: World) -> None:
    first, second = consent(world), consent(world)

    world.clock.advance(CODE_LIFETIME_S - 1)
    exchange(world, first)
    world.clock.advance(1)

    assert refused(exchange, world, second) == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "http://127.0.0.1:53117/callback/"}, "invalid_request"),
        ({"redirect_uri": ""}, "invalid_request"),
        ({"code_verifier": "w" * 43}, "invalid_request"),
    ],
)
def test_a_wrong_exchange_spends_the_code(
    world: World, changes: dict[str, str], error: str
) -> None:
    code = consent(world)

    assert refused(exchange, world, code, **changes) == error
    assert refused(exchange, world, code) == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_key": "other"}, "invalid_client"),
        ({"client_secret": "other"}, "invalid_client"),
        ({"client_secret": ""}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"code": ""}, "invalid_request"),
        ({"code": "unknown"}, "invalid_grant"),
    ],
)
def test_a_call_that_names_no_good_code_spends_none(
    world: World, changes: dict[str, str], error: str
) -> None:
    code = consent(world)

    assert refused(exchange, world, code, **changes) == error
    assert exchange(world, code)["token_type"] == "Bearer"


def test_a_refresh_rotates_and_the_old_refresh_token_is_dead_at_once(world: World) -> None:
    first = exchange(world, consent(world))

    second = refresh(world, first["refresh_token"])

    assert refused(refresh, world, first["refresh_token"]) == "invalid_grant"
    assert world.authenticate(second["access_token"]) is world.accounts[0]
    assert world.oauth.find(first["access_token"]) is None


def test_a_token_of_the_ready_line_can_be_refreshed(world: World) -> None:
    answer = refresh(world, world.accounts[1].refresh_token)

    assert answer["open_id"] == world.accounts[1].open_id
    assert (answer["expires_in"], answer["refresh_expires_in"]) == (86_400, 31_536_000)


def test_a_refresh_token_ends_after_its_year(world: World) -> None:
    answer = exchange(world, consent(world))
    world.clock.advance(365 * 86_400)

    assert refused(refresh, world, answer["refresh_token"]) == "invalid_grant"


def test_revoking_needs_a_living_access_token(world: World) -> None:
    tokens = exchange(world, consent(world))
    form = {**CLIENT, "token": tokens["access_token"]}

    assert world.oauth.find_revoked(form) is world.accounts[0]
    assert refused(world.oauth.find_revoked, {**form, "token": tokens["refresh_token"]})
    assert refused(world.oauth.find_revoked, {**form, "client_secret": "x"}) == "invalid_client"
    world.clock.advance(86_400)
    assert refused(world.oauth.find_revoked, form) == "invalid_request"


def test_a_reset_gives_the_accounts_their_first_tokens_back(world: World) -> None:
    first = world.accounts[0].access_token
    code = consent(world)
    tokens = exchange(world, consent(world))
    world.app.oauth_error_status = 400

    world.reset()

    assert world.authenticate(first) is world.accounts[0]
    assert world.oauth.find(tokens["access_token"]) is None
    assert refused(exchange, world, code) == "invalid_grant"
    assert world.app.oauth_error_status == 200
