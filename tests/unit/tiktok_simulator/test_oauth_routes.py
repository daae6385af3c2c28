"""Login over HTTP: page, redirects, flat answers, faults."""

import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tiktok_simulator.faults import Fault
from tiktok_simulator.state import World

PATH = "/v2/auth/authorize/"
REDIRECT = "http://localhost:53117/callback/"
VERIFIER = "v" * 43
CLIENT = {"client_key": "aw0simulatedapp001", "client_secret": "simulated-app-secret"}
QUERY = {
    "client_key": "aw0simulatedapp001",
    "response_type": "code",
    "scope": "user.info.basic,video.publish",
    "redirect_uri": REDIRECT,
    "state": "s1",
    "code_challenge": hashlib.sha256(VERIFIER.encode()).hexdigest(),
    "code_challenge_method": "S256",
}


def decide(api: Any, form: list[tuple[str, str]], **changes: str) -> httpx.Response:
    url = f"{PATH}?{urlencode({**QUERY, **changes})}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return api.request("POST", url, content=urlencode(form), headers=headers)  # type: ignore[no-any-return]


def agree(api: Any, *scopes: str, account: str = "north.trail") -> httpx.Response:
    form = [("account", account), ("decision", "authorize")]
    return decide(api, [*form, *(("scope", one) for one in scopes)])


def callback(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 302, response.text
    location = response.headers["location"]
    assert location.startswith(REDIRECT + "?")
    return {name: value for name, (value,) in parse_qs(urlsplit(location).query).items()}


def token(api: Any, **form: str) -> httpx.Response:
    return api.request("POST", "/v2/oauth/token/", data={**CLIENT, **form})  # type: ignore[no-any-return]


def exchange(api: Any, code: str) -> httpx.Response:
    return token(
        api,
        grant_type="authorization_code",
        code=code,
        redirect_uri=REDIRECT,
        code_verifier=VERIFIER,
    )


def test_the_page_comes_first_and_the_code_after_the_consent(api: Any, world: World) -> None:
    page = api.request("GET", PATH, params=QUERY)
    back = callback(agree(api, "user.info.basic", "video.publish"))

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert sorted(back) == ["code", "scopes", "state"]
    answer = exchange(api, back["code"])
    assert answer.status_code == 200
    assert answer.json()["open_id"] == world.accounts[1].open_id


def test_an_unticked_scope_is_not_granted(api: Any, world: World) -> None:
    back = callback(agree(api, "user.info.basic"))

    answer = exchange(api, back["code"]).json()

    assert back["scopes"] == answer["scope"] == "user.info.basic"
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    refusal = api.request("POST", "/v2/post/publish/creator_info/query/", headers=headers)
    assert refusal.json()["error"]["code"] == "scope_not_authorized"


def test_a_scope_that_was_not_asked_for_cannot_be_ticked(api: Any) -> None:
    assert callback(agree(api, "user.info.basic", "video.list"))["scopes"] == "user.info.basic"


@pytest.mark.parametrize(
    "form",
    [
        [("account", "north.trail"), ("scope", "video.publish"), ("decision", "cancel")],
        [("account", "north.trail"), ("decision", "authorize")],
        [("account", "nobody"), ("scope", "video.publish"), ("decision", "authorize")],
        [],
    ],
)
def test_anything_but_a_consent_is_access_denied(api: Any, form: list[tuple[str, str]]) -> None:
    back = callback(decide(api, form))

    assert back.pop("error_description")
    assert back == {"error": "access_denied", "state": "s1"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_mistake_goes_back_or_stays_on_a_page(api: Any, method: str) -> None:
    sent_back = api.request(method, PATH, params={**QUERY, "scope": "video.steal"})
    stays = api.request(method, PATH, params={**QUERY, "redirect_uri": "https://evil.example/"})

    assert callback(sent_back)["error"] == "invalid_scope"
    assert stays.status_code == 400
    assert "error_type=redirect_uri" in stays.text
    assert "location" not in stays.headers


def test_who_signed_in_and_agreed_before_is_not_asked_again(api: Any) -> None:
    first = agree(api, "user.info.basic", "video.publish")
    exchange(api, callback(first)["code"])
    cookie = {"Cookie": first.headers["set-cookie"].partition(";")[0]}

    def ask(**changes: str) -> httpx.Response:
        return api.request("GET", PATH, params={**QUERY, **changes}, headers=cookie)  # type: ignore[no-any-return]

    assert callback(ask())["scopes"] == "user.info.basic,video.publish"
    assert ask(disable_auto_auth="1").status_code == 200
    assert ask(scope="video.list").status_code == 200
    assert api.request("GET", PATH, params=QUERY).status_code == 200


def test_errors_are_flat_with_a_log_id_and_http_200(api: Any) -> None:
    answer = token(api, grant_type="refresh_token", refresh_token="rft.unknown")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    body = answer.json()
    assert re.fullmatch(r"\d{14}[0-9A-F]{20}", body.pop("log_id"))
    assert body == {
        "error": "invalid_grant",
        "error_description": "Refresh token is invalid or expired.",
    }


def test_the_status_of_errors_is_a_switch(api: Any, world: World) -> None:
    world.app.oauth_error_status = 400

    assert token(api, grant_type="password").status_code == 400


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"grant_type": "refresh_token"}', "application/json"),
        (b"grant_type=refresh_token", None),
        (b"grant_type=refresh_token", "text/plain"),
        (b'{"grant_type": "refresh_token"}', "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
        (b"a=1&a=2", "application/x-www-form-urlencoded"),
        (b"a=\xff", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % one for one in range(40)), "application/x-www-form-urlencoded"),
        (b"a=" + b"b" * 70_000, "application/x-www-form-urlencoded"),
    ],
)
@pytest.mark.parametrize("call", ["token", "revoke"])
def test_only_a_clean_form_is_read(
    api: Any, call: str, body: bytes, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    answer = api.request("POST", f"/v2/oauth/{call}/", content=body, headers=headers)

    assert answer.json()["error"] == "invalid_request"


def test_revoking_has_an_empty_body_and_ends_the_grant(api: Any, world: World) -> None:
    form = {**CLIENT, "token": world.accounts[0].access_token}

    answer = api.request("POST", "/v2/oauth/revoke/", data=form)
    again = api.request("POST", "/v2/oauth/revoke/", data=form)

    assert (answer.status_code, answer.content) == (200, b"")
    assert again.json()["error"] == "invalid_request"
    assert world.accounts[0].refresh_token == ""


@pytest.mark.parametrize(("when", "is_rotated"), [("before", False), ("after", True)])
def test_a_fault_meets_a_refresh_before_or_after_the_rotation(
    api: Any, world: World, when: Any, is_rotated: bool
) -> None:
    old = world.accounts[0].refresh_token
    world.faults.arm(Fault("token", "error", when=when, status=503))

    answer = token(api, grant_type="refresh_token", refresh_token=old)

    assert answer.status_code == 503
    assert answer.text.startswith("<html>")
    assert (world.accounts[0].refresh_token != old) is is_rotated


def test_a_fault_with_a_code_is_flat_too(api: Any, world: World) -> None:
    world.faults.arm(Fault("revoke", "error", status=500, code="server_error"))

    answer = api.request("POST", "/v2/oauth/revoke/", data=CLIENT)

    assert answer.status_code == 500
    assert answer.json()["error"] == "server_error"
    assert world.accounts[0].access_token


def test_a_fault_may_be_for_one_creators_calls_alone(api: Any, world: World) -> None:
    first, second = world.accounts[0], world.accounts[1]
    for call in ("token", "token", "revoke"):
        world.faults.arm(Fault(call, "error", open_id=second.open_id))
    code = callback(agree(api, "video.publish"))["code"]

    def refresh(token_of: Any) -> int:
        answer = token(api, grant_type="refresh_token", refresh_token=token_of.refresh_token)
        return answer.status_code

    def revoke(token_of: Any) -> int:
        form = {**CLIENT, "token": token_of.access_token}
        return api.request("POST", "/v2/oauth/revoke/", data=form).status_code  # type: ignore[no-any-return]

    assert (refresh(first), refresh(second)) == (200, 503)
    assert exchange(api, code).status_code == 503
    assert (revoke(first), revoke(second)) == (200, 503)
    assert (exchange(api, code).status_code, revoke(second)) == (200, 200)


def test_the_slash_and_the_method_belong_to_the_path(api: Any) -> None:
    assert api.request("GET", PATH.rstrip("/"), params=QUERY).status_code == 404
    assert api.request("POST", "/v2/oauth/token").status_code == 404
    assert api.request("GET", "/v2/oauth/token/").status_code == 405
