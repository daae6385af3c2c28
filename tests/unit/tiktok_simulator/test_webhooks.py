"""Webhooks: envelope, signature, retries, duplicates, order."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from tiktok_simulator.state import World
from tiktok_simulator.webhooks import Delivery, Webhooks

URL = "http://127.0.0.1:1/webhook"
Call = Callable[..., Any]


@pytest.fixture
def webhooks(world: World) -> Webhooks:
    world.webhooks.settings.url = URL
    return world.webhooks


def upload(world: World, init: Call, put: Call, level: str = "PUBLIC_TO_EVERYONE") -> str:
    task = init(1, level)
    put(task["upload_url"], b"a", 0, 1)
    return str(task["publish_id"])


def pass_time(world: World) -> None:
    world.switches.set({"processing_s": 0, "link_s": 0})
    world.tick()


def announced(webhooks: Webhooks) -> list[tuple[str, dict[str, Any]]]:
    return [(one.event, one.content) for one in webhooks.deliveries]


def test_a_public_post_is_complete_then_publicly_available(
    world: World, webhooks: Webhooks, init: Call, put: Call
) -> None:
    publish_id = upload(world, init, put)
    pass_time(world)

    post_id = str(world.publications[publish_id].post_id)
    content = {"publish_id": publish_id, "publish_type": "DIRECT_PUBLISH"}
    assert announced(webhooks) == [
        ("post.publish.complete", content),
        ("post.publish.publicly_available", {**content, "post_id": post_id}),
    ]


def test_a_post_taken_down_is_no_longer_available_in_the_platforms_spelling(
    world: World, webhooks: Webhooks, init: Call, put: Call
) -> None:
    publication = world.publications[upload(world, init, put)]
    pass_time(world)

    world.lifecycle.delete(publication)

    event, content = announced(webhooks)[-1]
    assert event == "post.publish.no_longer_publicaly_available"
    assert content["post_id"] == str(publication.post_id)


def test_a_failure_names_its_reason(
    world: World, webhooks: Webhooks, init: Call, put: Call
) -> None:
    publish_id = upload(world, init, put)
    world.lifecycle.fail(world.publications[publish_id], "spam_risk")

    assert announced(webhooks) == [
        (
            "post.publish.failed",
            {"publish_id": publish_id, "reason": "spam_risk", "publish_type": "DIRECT_PUBLISH"},
        )
    ]


def test_a_draft_is_delivered_to_the_inbox(
    world: World, webhooks: Webhooks, call: Call, put: Call
) -> None:
    source = {"source": "FILE_UPLOAD", "video_size": 1, "chunk_size": 1, "total_chunk_count": 1}
    task = call("inbox/video/init/", {"source_info": source}).json()["data"]
    put(task["upload_url"], b"a", 0, 1)
    pass_time(world)

    assert announced(webhooks) == [
        (
            "post.publish.inbox_delivered",
            {"publish_id": task["publish_id"], "publish_type": "INBOX_SHARE"},
        )
    ]


def test_the_envelope_holds_the_content_as_a_string(world: World, webhooks: Webhooks) -> None:
    webhooks.announce_removal("open-id-1", 1)

    (delivery,) = webhooks.deliveries
    assert json.loads(delivery.body) == {
        "client_key": world.app.client_key,
        "event": "authorization.removed",
        "create_time": int(world.clock.now()),
        "user_openid": "open-id-1",
        "content": '{"reason":1}',
    }


def test_the_signature_covers_the_second_and_the_raw_body(world: World, webhooks: Webhooks) -> None:
    body = b'{"a": 1}'

    signature = webhooks.sign(body)

    second = int(world.clock.now())
    message = f"{second}.".encode() + body
    expected = hmac.new(world.app.client_secret.encode(), message, hashlib.sha256).hexdigest()
    assert signature == f"t={second},s={expected}"


def test_nothing_is_announced_without_a_callback(world: World) -> None:
    world.webhooks.announce_removal("open-id-1", 1)

    assert world.webhooks.deliveries == []


def announce(webhooks: Webhooks, count: int) -> list[Delivery]:
    for number in range(count):
        webhooks.announce_removal(f"open-id-{number}", 1)
    return webhooks.deliveries


def test_anything_but_200_is_retried_with_exponential_backoff(
    world: World, webhooks: Webhooks
) -> None:
    (delivery,) = announce(webhooks, 1)
    waited = []
    for status in (500, None, 204, 302):
        assert webhooks.due() == [delivery]
        webhooks.note_answer(delivery, status, None if status else "ConnectError")
        assert webhooks.due() == []
        waited.append(delivery.due_at - world.clock.now())
        world.clock.advance(waited[-1])

    assert waited == [1, 2, 4, 8]
    webhooks.note_answer(delivery, 200)
    assert (delivery.state, delivery.attempts, webhooks.due()) == ("delivered", 5, [])


def test_retries_end_after_72_hours(world: World, webhooks: Webhooks) -> None:
    (delivery,) = announce(webhooks, 1)

    while delivery.state == "pending":
        world.clock.advance(delivery.due_at - world.clock.now())
        webhooks.note_answer(delivery, 500)

    assert delivery.state == "given_up"
    assert world.clock.now() - delivery.created_at <= 72 * 3600
    assert delivery.attempts == 18
    assert webhooks.due() == []


def test_duplicates_are_sent_after_the_first_200(world: World, webhooks: Webhooks) -> None:
    webhooks.settings.duplicates = 2
    (delivery,) = announce(webhooks, 1)

    for _ in range(3):
        assert webhooks.due() == [delivery]
        webhooks.note_answer(delivery, 200)

    assert (delivery.state, delivery.attempts, webhooks.due()) == ("delivered", 3, [])


def test_order_is_kept_unless_it_is_switched(world: World, webhooks: Webhooks) -> None:
    first, second = announce(webhooks, 2)

    assert webhooks.due() == [first, second]


def test_reordered_the_last_event_goes_first(world: World, webhooks: Webhooks) -> None:
    webhooks.settings.is_reordered = True
    announce(webhooks, 1)
    world.clock.advance(0.4)
    assert webhooks.due() == []

    announce(webhooks, 1)
    world.clock.advance(0.1)

    first, second = webhooks.deliveries
    assert webhooks.due() == [second, first]


def test_a_reset_forgets_deliveries_and_what_was_changed(world: World, webhooks: Webhooks) -> None:
    announce(webhooks, 1)

    world.reset()

    assert (webhooks.deliveries, webhooks.settings.url) == ([], None)
    assert world.webhooks is webhooks


def test_the_end_of_a_grant_is_announced_and_fails_what_is_under_way(
    world: World, webhooks: Webhooks, init: Call, put: Call
) -> None:
    lacking, processing = init(2)["publish_id"], upload(world, init, put)
    done = upload(world, init, put)
    world.lifecycle.settle(world.publications[done])
    other = init(1, account=1)["publish_id"]

    world.remove_authorization(world.accounts[0], 5)

    reasons = {name: world.publications[name].fail_reason for name in world.publications}
    assert reasons == {
        lacking: "auth_removed",
        processing: "auth_removed",
        done: None,
        other: None,
    }
    assert [event for event, _ in announced(webhooks)] == [
        "post.publish.complete",
        "post.publish.failed",
        "post.publish.failed",
        "authorization.removed",
    ]
    assert webhooks.deliveries[-1].content == {"reason": 5}


def test_what_is_under_way_may_go_on_without_the_grant(world: World, init: Call, put: Call) -> None:
    task = init(1)

    world.remove_authorization(world.accounts[0], 1, fails_under_way=False)

    assert put(task["upload_url"], b"a", 0, 1).status_code == 201
