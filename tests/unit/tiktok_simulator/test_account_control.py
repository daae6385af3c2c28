"""Steering creators, their grants and the app."""

from collections.abc import Callable
from typing import Any

import pytest

from tiktok_simulator.state import World

Call = Callable[..., Any]
PATH = "/_sim/accounts/aurora.kitchen"


@pytest.fixture
def steer(api: Any) -> Call:
    def steer(path: str = PATH, **body: Any) -> Any:
        return api.request("POST", path, json=body)

    return steer


def error_code(call: Call) -> Any:
    return call("creator_info/query/").json()["error"]["code"]


def test_accounts_are_shown_without_their_tokens(world: World, api: Any) -> None:
    answer = api.request("GET", "/_sim/accounts")

    (first, *others) = answer.json()["accounts"]
    assert len(others) == 4
    assert first["username"] == "aurora.kitchen"
    assert first["is_authorized"] is True
    assert first["access_expires_at"] is None
    assert world.accounts[0].access_token not in answer.text
    assert world.accounts[0].refresh_token not in answer.text


def test_a_private_account_offers_other_levels_and_no_duet(steer: Call, call: Call) -> None:
    answer = steer(is_private=True, comment_disabled=True, max_video_post_duration_sec=3600)

    info = call("creator_info/query/").json()["data"]
    options = ["FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
    assert info["privacy_level_options"] == answer.json()["privacy_level_options"] == options
    assert info["duet_disabled"] is info["stitch_disabled"] is info["comment_disabled"] is True
    assert info["max_video_post_duration_sec"] == 3600


@pytest.mark.parametrize(
    "code",
    [
        "spam_risk_too_many_posts",
        "spam_risk_user_banned_from_posting",
        "reached_active_user_cap",
    ],
)
def test_a_blocked_creator_is_told_with_http_200(steer: Call, call: Call, code: str) -> None:
    steer(blocked_code=code)
    answer = call("creator_info/query/")

    assert (answer.status_code, answer.json()["error"]["code"]) == (200, code)
    assert "data" not in answer.json()
    steer(blocked_code=None)
    assert error_code(call) == "ok"


def test_scopes_can_be_taken_from_a_token(steer: Call, call: Call) -> None:
    steer(scopes=["video.upload"])

    assert error_code(call) == "scope_not_authorized"


def test_tokens_can_be_let_end(steer: Call, call: Call, world: World) -> None:
    steer(expire_access_token=True)
    assert error_code(call) == "access_token_invalid"

    steer(expire_refresh_token=True)
    assert world.accounts[0].refresh_expires_at == world.clock.now()


def test_an_authorization_can_be_removed(steer: Call, call: Call, init: Call, world: World) -> None:
    publish_id = init(1)["publish_id"]

    answer = steer(remove_authorization=1, fails_under_way=False)

    assert answer.json()["is_authorized"] is False
    assert world.publications[publish_id].fail_reason is None
    steer(remove_authorization=4)
    assert world.publications[publish_id].fail_reason == "auth_removed"


def test_a_reset_undoes_what_was_steered(steer: Call, call: Call, world: World) -> None:
    steer(is_private=True, remove_authorization=1)
    steer("/_sim/app", client_key="other", is_audited=False)

    steer("/_sim/reset")

    assert error_code(call) == "ok"
    assert world.accounts[0].is_private is False
    assert (world.app.client_key, world.app.is_audited) == ("aw0simulatedapp001", True)


@pytest.mark.parametrize(
    "body",
    [
        {"is_private": 1},
        {"expire_access_token": "yes"},
        {"max_video_post_duration_sec": 0},
        {"blocked_code": "sleepy"},
        {"scopes": "video.list"},
        {"scopes": ["video.steal"]},
        {"remove_authorization": 6},
        {"fails_under_way": False},
        {"password": "x"},
    ],
)
def test_an_order_that_means_nothing_changes_nothing(
    steer: Call, world: World, body: dict[str, Any]
) -> None:
    answer = steer(comment_disabled=True, **body)

    assert answer.status_code == 400
    assert next(iter(body)) in answer.json()["error"]
    assert world.accounts[0].comment_disabled is False


def test_an_unknown_account_is_named(steer: Call) -> None:
    answer = steer("/_sim/accounts/nobody")

    assert answer.status_code == 404
    assert "nobody" in answer.json()["error"]


def test_the_app_is_shown_without_its_secret_and_changed(steer: Call, api: Any) -> None:
    uris = ["https://app.example/tiktok"]

    assert steer("/_sim/app", app_type="web", redirect_uris=uris).status_code == 200

    shown = api.request("GET", "/_sim/app").json()
    assert (shown["app_type"], shown["redirect_uris"]) == ("web", uris)
    assert "client_secret" not in shown
    assert steer("/_sim/app", app_type="desktop").status_code == 400
    assert steer("/_sim/app", client_id="x").status_code == 400
