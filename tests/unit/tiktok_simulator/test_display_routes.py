"""The Display API over HTTP."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tiktok_simulator.faults import Fault
from tiktok_simulator.state import World

Call = Callable[..., Any]


@pytest.fixture
def ask(world: World, api: Any) -> Call:
    """Send a request as the first account and return the response."""

    def ask(method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {world.accounts[0].access_token}"}
        return api.request(method, path, headers=headers, **options)  # type: ignore[no-any-return]

    return ask


def publish(world: World, init: Call, put: Call, level: str = "PUBLIC_TO_EVERYONE") -> str:
    """Publish one post and return its id."""
    task = init(1, level)
    put(task["upload_url"], b"a", 0, 1)
    publication = world.publications[task["publish_id"]]
    world.lifecycle.settle(publication)
    return str(publication.post_id)


def test_user_info_is_wrapped_in_user(ask: Call) -> None:
    answer = ask("GET", "/v2/user/info/?fields=open_id,display_name")

    assert answer.status_code == 200
    assert answer.json()["data"]["user"]["display_name"] == "Aurora Kitchen"
    assert answer.json()["error"]["code"] == "ok"


def test_a_token_without_any_user_scope_is_not_authorized(world: World, ask: Call) -> None:
    world.accounts[0].scopes = ("video.publish",)

    answer = ask("GET", "/v2/user/info/?fields=open_id")

    assert answer.json()["error"]["code"] == "scope_not_authorized"


def test_what_was_published_is_listed_and_found(
    world: World, ask: Call, init: Call, put: Call
) -> None:
    public, _ = publish(world, init, put), publish(world, init, put, "SELF_ONLY")

    listed = ask("POST", "/v2/video/list/?fields=id,title", json={"max_count": 20}).json()["data"]
    body = {"filters": {"video_ids": [public]}}
    found = ask("POST", "/v2/video/query/?fields=id", json=body).json()["data"]

    assert listed["videos"] == [{"id": public, "title": ""}]
    assert listed["has_more"] is False
    assert found == {"videos": [{"id": public}]}


def test_time_alone_makes_a_post_appear(world: World, ask: Call, init: Call, put: Call) -> None:
    world.switches.set({"processing_s": 60})
    put(init(1)["upload_url"], b"a", 0, 1)

    def count() -> int:
        return len(ask("POST", "/v2/video/list/?fields=id").json()["data"]["videos"])

    assert count() == 0
    world.clock.advance(60)
    assert count() == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/user/info/"),
        ("POST", "/v2/video/list/"),
        ("POST", "/v2/video/query/"),
    ],
)
def test_each_call_needs_fields_a_token_and_600_a_minute_at_most(
    world: World, api: Any, ask: Call, method: str, path: str
) -> None:
    call = path.strip("/").removeprefix("v2/").replace("/", "_")
    assert ask(method, path, json={}).json()["error"]["code"] == "invalid_params"
    assert api.request(method, path).json()["error"]["code"] == "access_token_invalid"
    for _ in range(599):
        world.windows.count(world.accounts[0].access_token, call, world.clock.now())
    assert ask(method, path).json()["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize("path", ["/v2/video/list/", "/v2/video/query/"])
def test_videos_need_their_scope(world: World, ask: Call, path: str) -> None:
    world.accounts[0].scopes = ("video.publish", "user.info.basic")

    answer = ask("POST", f"{path}?fields=id", json={})

    assert answer.json()["error"]["code"] == "scope_not_authorized"


def test_faults_meet_the_display_calls(world: World, ask: Call) -> None:
    world.faults.arm(Fault("user_info", "error", status=503))
    world.faults.arm(Fault("video_list", "error", when="after", status=500, code="internal_error"))

    assert ask("GET", "/v2/user/info/?fields=open_id").status_code == 503
    listed = ask("POST", "/v2/video/list/?fields=id")
    assert (listed.status_code, listed.json()["error"]["code"]) == (500, "internal_error")
