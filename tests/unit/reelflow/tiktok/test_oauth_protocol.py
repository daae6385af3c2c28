import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reelflow.exceptions import (
    ConfigurationError,
    ReelflowError,
    TikTokRateLimitedError,
    TikTokUnavailableError,
    TokenGrantRefusedError,
)
from reelflow.tiktok import oauth_protocol
from reelflow.tiktok.answers import Answer
from reelflow.tiktok.oauth_models import ConsentCallback, TokenGrant
from reelflow.tiktok.request import Request
from tests.unit.reelflow.tiktok import hostile_json

REDIRECT_URI = "http://127.0.0.1:8400/callback/"
GRANT: dict[str, Any] = {
    "open_id": "o-1",
    "scope": "user.info.basic,video.publish",
    "access_token": "act.s3cret-a",
    "expires_in": 86_400,
    "refresh_token": "rft.s3cret-r",
    "refresh_expires_in": 31_536_000,
    "token_type": "Bearer",
}


def answer(document: object, status: int = 200) -> Answer:
    return Answer(status, {}, json.dumps(document).encode())


def fields_of(request: Request) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(request.body.decode()).items()}


def page(**changes: Any) -> dict[str, str]:
    arguments = {
        "client_key": "key",
        "redirect_uri": REDIRECT_URI,
        "scopes": ["video.publish", "user.info.basic", "video.publish"],
        "state": "st&te",
    }
    url = oauth_protocol.authorize_url("https://www.tiktok.com", **(arguments | changes))
    split = urlsplit(url)
    assert (split.netloc, split.path) == ("www.tiktok.com", "/v2/auth/authorize/")
    return {name: value for name, (value,) in parse_qs(split.query).items()}


def test_the_consent_page_gets_the_documented_query() -> None:
    expected = {
        "client_key": "key",
        "response_type": "code",
        "scope": "user.info.basic,video.publish",
        "redirect_uri": REDIRECT_URI,
        "state": "st&te",
    }
    assert page() == expected
    assert page(code_challenge="abc", disable_auto_auth=True) == expected | {
        "code_challenge": "abc",
        "code_challenge_method": "S256",
        "disable_auto_auth": "1",
    }


def test_a_callback_brings_the_code_and_the_scopes_that_were_granted() -> None:
    query = {"code": "a*b!c", "scopes": "user.info.basic,video.publish", "state": "s"}
    assert oauth_protocol.parse_callback(query, state="s") == ConsentCallback(
        "a*b!c", frozenset({"user.info.basic", "video.publish"})
    )
    assert "a*b!c" not in repr(oauth_protocol.parse_callback(query, state="s"))


@pytest.mark.parametrize("state", [{}, {"state": ""}, {"state": "é"}, {"state": "S"}])
def test_a_callback_of_another_attempt_is_refused(state: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="another attempt"):
        oauth_protocol.parse_callback({"code": "a", "scopes": "", **state}, state="s")


def test_a_creator_who_does_not_consent_is_told_apart_from_an_app_that_is_wrong() -> None:
    denied = {"error": "access_denied", "error_description": "No.", "state": "s"}
    with pytest.raises(TokenGrantRefusedError, match="did not consent"):
        oauth_protocol.parse_callback(denied, state="s")
    unknown_app = {"error": "unauthorized_client", "error_type": "client_key", "state": "s"}
    with pytest.raises(ConfigurationError, match="client key"):
        oauth_protocol.parse_callback(unknown_app, state="s")
    with pytest.raises(ConfigurationError, match="no code"):
        oauth_protocol.parse_callback({"state": "s"}, state="s")


def test_a_code_is_redeemed_by_a_form() -> None:
    request = oauth_protocol.prepare_exchange("key", "s3cret", "c*de", REDIRECT_URI, "verifier")
    assert request.path == "/v2/oauth/token/"
    expected = {
        "client_key": "key",
        "client_secret": "s3cret",
        "code": "c*de",
        "grant_type": "authorization_code",
        "redirect_uri": REDIRECT_URI,
        "code_verifier": "verifier",
    }
    assert fields_of(request) == expected
    del expected["code_verifier"]
    without_pkce = oauth_protocol.prepare_exchange("key", "s3cret", "c*de", REDIRECT_URI)
    assert fields_of(without_pkce) == expected
    assert "s3cret" not in repr(request)


def test_tokens_are_renewed_and_given_up_by_forms() -> None:
    app = {"client_key": "key", "client_secret": "s3cret"}
    refresh = oauth_protocol.prepare_refresh("key", "s3cret", "rft.1")
    assert refresh.path == "/v2/oauth/token/"
    assert fields_of(refresh) == app | {"grant_type": "refresh_token", "refresh_token": "rft.1"}
    revoke = oauth_protocol.prepare_revoke("key", "s3cret", "act.1")
    assert revoke.path == "/v2/oauth/revoke/"
    assert fields_of(revoke) == app | {"token": "act.1"}


@pytest.mark.parametrize(("key", "secret"), [("", "s3cret"), ("key", "")])
def test_an_app_without_key_or_secret_is_a_setting_to_correct(key: str, secret: str) -> None:
    with pytest.raises(ConfigurationError, match="tiktok_app"):
        oauth_protocol.prepare_refresh(key, secret, "rft.1")


def test_a_grant_is_read_and_shows_no_token() -> None:
    grant = oauth_protocol.parse_grant(answer(GRANT), "oauth/token")
    assert grant == TokenGrant(
        "o-1",
        frozenset({"user.info.basic", "video.publish"}),
        "act.s3cret-a",
        86_400,
        "rft.s3cret-r",
        31_536_000,
    )
    assert "s3cret" not in f"{grant} {grant!r}"


@pytest.mark.parametrize(
    "change",
    [
        {"open_id": ""},
        {"open_id": 7},
        {"access_token": None},
        {"access_token": "act.a\r\nX: y"},
        {"refresh_token": ""},
    ],
)
def test_a_grant_that_lacks_something_is_not_understood(change: dict[str, Any]) -> None:
    with pytest.raises(TikTokUnavailableError, match="cannot be understood") as caught:
        oauth_protocol.parse_grant(answer(GRANT | change), "oauth/token")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("life", [1e30, "3600.0", "86400", 0, -1, True, None, [1]])
def test_tokens_whose_life_cannot_be_read_are_kept_all_the_same(life: object) -> None:
    lives = {"expires_in": life, "refresh_expires_in": life}
    grant = oauth_protocol.parse_grant(answer(GRANT | lives), "oauth/token")
    assert (grant.access_token, grant.refresh_token) == ("act.s3cret-a", "rft.s3cret-r")
    assert (grant.expires_in_s, grant.refresh_expires_in_s) == (None, None)


def test_a_life_without_end_is_cut_to_what_a_date_can_hold() -> None:
    grant = oauth_protocol.parse_grant(answer(GRANT | {"expires_in": 2**62}), "oauth/token")
    assert grant.expires_in_s == 315_360_000


@pytest.mark.parametrize("status", [200, 400, 401])
@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        ("invalid_grant", TokenGrantRefusedError),
        ("invalid_client", ConfigurationError),
        ("temporarily_unavailable", TikTokUnavailableError),
        ("brand_new", ConfigurationError),
    ],
)
def test_a_flat_error_counts_under_every_status(
    error: str, error_class: type[ReelflowError], status: int
) -> None:
    document = {"error": error, "error_description": "Why not rft.s3cret.", "log_id": "2026A"}
    with pytest.raises(error_class, match="2026A") as caught:
        oauth_protocol.parse_grant(answer(document, status), "oauth/token")
    assert type(caught.value) is error_class
    assert caught.value.code == error
    assert "Why not" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(error_class):
        oauth_protocol.parse_revoke(answer(document, status))


@pytest.mark.parametrize(
    ("given_answer", "error_class"),
    [
        (answer({"error": "invalid_grant"}, 500), TikTokUnavailableError),
        (Answer(503, {}, b"<html>"), TikTokUnavailableError),
        (Answer(408, {}), TikTokUnavailableError),
        (answer({"error": "invalid_grant"}, 429), TikTokRateLimitedError),
        (Answer(404, {}, b"<html>"), ConfigurationError),
        (Answer(302, {"Location": "https://login.example/"}), ConfigurationError),
        (Answer(200, {}, b"<html>"), TikTokUnavailableError),
        (answer([]), TikTokUnavailableError),
        (answer({"data": GRANT}), TikTokUnavailableError),
    ],
)
def test_an_answer_without_word_of_oauth_has_the_error_of_its_status(
    given_answer: Answer, error_class: type[ReelflowError]
) -> None:
    with pytest.raises(error_class) as caught:
        oauth_protocol.parse_grant(given_answer, "oauth/token")
    assert type(caught.value) is error_class


def test_a_revoke_is_answered_with_nothing() -> None:
    oauth_protocol.parse_revoke(Answer(200, {}, b""))
    oauth_protocol.parse_revoke(answer({"message": "success"}))
    with pytest.raises(TikTokUnavailableError):
        oauth_protocol.parse_revoke(Answer(200, {}, b"<html>"))
    with pytest.raises(TikTokUnavailableError):
        oauth_protocol.parse_revoke(Answer(502, {}, b""))


FLAT = hostile_json.values("error", "error_description", "log_id", *GRANT).map(answer)


@given(hostile_json.answers(*GRANT) | FLAT)
def test_no_answer_raises_anything_but_our_errors(hostile: Answer) -> None:
    try:
        oauth_protocol.parse_revoke(hostile)
        oauth_protocol.parse_grant(hostile, "oauth/token")
    except ReelflowError as error:
        str(error).encode()


@example(query={}, state="\ud800")
@given(
    st.dictionaries(
        st.sampled_from(["code", "scopes", "error", "error_description"]),
        st.text(st.characters(codec=None)),
    ),
    st.text(st.characters(codec=None)) | st.just("s"),
)
def test_no_callback_raises_anything_but_our_errors(query: dict[str, str], state: str) -> None:
    try:
        oauth_protocol.parse_callback(query | {"state": state}, state="s")
    except ReelflowError as error:
        str(error).encode()
