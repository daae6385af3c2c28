"""Steering the callback."""

from collections.abc import Callable
from typing import Any

import pytest

from tiktok_simulator.state import World

Call = Callable[..., Any]
PATH = "/_sim/webhooks"


def test_deliveries_are_shown(world: World, api: Any) -> None:
    settings = {"url": "http://127.0.0.1:9/x", "duplicates": 1, "retry_s": 0.5}
    assert api.request("POST", PATH, json=settings).status_code == 200
    world.webhooks.announce_removal("open-id-1", 3)
    world.webhooks.note_answer(world.webhooks.deliveries[0], 500)

    assert api.request("GET", PATH).json() == {
        **settings,
        "is_reordered": False,
        "deliveries": [
            {
                "event": "authorization.removed",
                "user_openid": "open-id-1",
                "content": {"reason": 3},
                "create_time": int(world.clock.now()),
                "state": "pending",
                "attempts": 1,
                "last_status": 500,
                "last_error": None,
            }
        ],
    }


def test_what_happened_before_there_was_a_callback_is_not_sent_to_it(
    world: World, api: Any, init: Call, put: Call
) -> None:
    world.switches.set({"processing_s": 0, "link_s": 0})
    put(init(1)["upload_url"], b"a", 0, 1)

    api.request("POST", PATH, json={"url": "https://app.example/hook"})
    world.tick()

    assert world.webhooks.deliveries == []


def test_webhooks_can_be_switched_off(world: World, api: Any) -> None:
    api.request("POST", PATH, json={"url": "http://localhost:9/", "is_reordered": True})
    api.request("POST", PATH, json={"url": None})

    assert world.webhooks.settings.url is None
    assert world.webhooks.settings.is_reordered is True


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://app.example/hook"},
        {"url": "ftp://127.0.0.1/"},
        {"url": "https:///hook"},
        {"url": "http://localhost:99999/"},
        {"url": "http://[::1"},
        {"url": "http://localhost/\x00"},
        {"url": 1},
        {"duplicates": -1},
        {"is_reordered": "yes"},
        {"retry_s": 0},
        {"retry_s": True},
        {"secret": "x"},
    ],
)
def test_settings_that_mean_nothing_change_nothing(
    world: World, api: Any, body: dict[str, Any]
) -> None:
    answer = api.request("POST", PATH, json={"duplicates": 3, **body})

    assert answer.status_code == 400
    assert next(iter(body)) in answer.json()["error"]
    assert world.webhooks.settings.duplicates == 0
