"""The moves of a publication, and the events that tell of them."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tiktok_simulator import lifecycle
from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.lifecycle import ArmedFailure
from tiktok_simulator.publication import Publication, Pull
from tiktok_simulator.state import World

HOUR_S = 3600
PUBLIC = {"privacy_level": "PUBLIC_TO_EVERYONE"}
PLAN = UploadPlan(3, 3, 1)
VIDEO = Pull(("https://media.example/a.mp4",))


@pytest.fixture
def events(world: World) -> list[str]:
    heard: list[str] = []
    world.listeners.append(lambda one, event: heard.append(event.removeprefix("post.publish.")))
    return heard


def start(world: World, *, draft: bool = False, level: str = "PUBLIC_TO_EVERYONE") -> Publication:
    if draft:
        return world.start_draft(world.accounts[0], PLAN)
    return world.start_direct_post(world.accounts[0], {"privacy_level": level}, PLAN)


def upload(world: World, publication: Publication) -> Publication:
    chunk = publication.received.open_chunk()
    chunk.write(b"abc")
    world.store_chunk(publication, chunk)
    return publication


def statuses(world: World, publication: Publication, polls: int) -> list[str]:
    return [world.poll(publication)["status"] for _ in range(polls)]


def test_the_events_carry_the_names_of_the_documentation() -> None:
    assert {
        lifecycle.COMPLETE,
        lifecycle.FAILED,
        lifecycle.INBOX_DELIVERED,
        lifecycle.PUBLICLY_AVAILABLE,
        lifecycle.NO_LONGER_AVAILABLE,
    } == {
        "post.publish.complete",
        "post.publish.failed",
        "post.publish.inbox_delivered",
        "post.publish.publicly_available",
        "post.publish.no_longer_publicaly_available",
    }


def test_polls_move_a_public_post_from_processing_to_its_id(
    world: World, events: list[str]
) -> None:
    one = upload(world, start(world))

    first, second, third = (world.poll(one) for _ in range(3))

    assert first == {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 3}
    assert second == {"status": "PUBLISH_COMPLETE"}
    assert third == {**second, "publicaly_available_post_id": [one.post_id]}
    assert events == ["complete", "publicly_available"]


@pytest.mark.parametrize(("processing", "link"), [(0, 0), (3, 0), (0, 2), (2, 4)])
def test_as_many_polls_as_chosen_see_processing_and_no_id(
    world: World, processing: int, link: int
) -> None:
    world.switches.set({"processing_polls": processing, "link_polls": link})
    one = upload(world, start(world))

    answers = [world.poll(one) for _ in range(processing + link + 1)]

    busy = [answer["status"] == "PROCESSING_UPLOAD" for answer in answers]
    assert busy == [True] * processing + [False] * (link + 1)
    assert ["publicaly_available_post_id" in answer for answer in answers][:-1] == [False] * (
        processing + link
    )
    assert answers[-1]["publicaly_available_post_id"] == [one.post_id]


@pytest.mark.parametrize("level", ["SELF_ONLY", "MUTUAL_FOLLOW_FRIENDS"])
def test_a_post_that_is_not_public_never_gets_an_id(
    world: World, events: list[str], level: str
) -> None:
    one = upload(world, start(world, level=level))

    answers = [world.poll(one) for _ in range(5)]

    assert answers[1:] == [{"status": "PUBLISH_COMPLETE"}] * 4
    assert events == ["complete"]


def test_time_moves_a_post_without_any_poll(world: World, events: list[str]) -> None:
    world.switches.set({"processing_s": 10, "link_s": 60})
    one = upload(world, start(world))

    world.clock.advance(9)
    world.tick()
    assert (one.stage, events) == ("processing", [])
    assert statuses(world, one, 3) == ["PROCESSING_UPLOAD"] * 3

    world.clock.advance(1)
    world.tick()
    assert (one.stage, events) == ("published", ["complete"])

    world.clock.advance(60)
    world.tick()
    assert (one.is_listed, events) == (True, ["complete", "publicly_available"])


def test_without_time_a_tick_moves_nothing_that_polls_decide(
    world: World, events: list[str]
) -> None:
    one = upload(world, start(world))
    world.poll(one)
    world.clock.advance(10 * HOUR_S)

    for _ in range(5):
        world.tick()

    assert (one.stage, events) == ("processing", [])


def test_a_draft_goes_to_the_inbox_and_its_creator_may_post_it_more_than_once(
    world: World, events: list[str]
) -> None:
    one = upload(world, start(world, draft=True))
    assert statuses(world, one, 3) == ["PROCESSING_UPLOAD", *["SEND_TO_USER_INBOX"] * 2]

    world.lifecycle.post_draft(one, 1, "PUBLIC_TO_EVERYONE")
    seen = [world.poll(one) for _ in range(2)]
    world.lifecycle.post_draft(one, 2, "PUBLIC_TO_EVERYONE")
    again = [world.poll(one) for _ in range(2)]

    assert seen[0] == again[0] == {"status": "PUBLISH_COMPLETE"}
    assert seen[1]["publicaly_available_post_id"] == [1]
    assert again[1]["publicaly_available_post_id"] == [1, 2]
    assert events == ["inbox_delivered", *["complete", "publicly_available"] * 2]


def test_an_armed_failure_meets_one_completion_of_its_creator(
    world: World, events: list[str]
) -> None:
    mine, other = world.accounts[0].open_id, world.accounts[1].open_id
    world.lifecycle.failures += [ArmedFailure("spam_risk", other), ArmedFailure("internal")]

    first, second = upload(world, start(world)), upload(world, start(world))

    assert (first.open_id, first.fail_reason, second.fail_reason) == (mine, "internal", None)
    assert statuses(world, first, 3) == ["PROCESSING_UPLOAD", "FAILED", "FAILED"]
    assert world.current_status(first)["fail_reason"] == "internal"
    assert (events, first.post_ids) == (["failed"], [])
    assert world.lifecycle.failures == [ArmedFailure("spam_risk", other)]


def test_an_upload_without_its_bytes_fails_with_its_hour(world: World, events: list[str]) -> None:
    one = start(world)
    world.clock.advance(HOUR_S)

    world.tick()

    assert world.poll(one) == {"status": "FAILED", "fail_reason": "internal"}
    assert events == ["failed"]


def test_a_tick_leaves_an_upload_alone_whose_put_is_under_way(
    world: World, events: list[str]
) -> None:
    one = start(world)
    one.puts_under_way = 1
    world.clock.advance(HOUR_S)

    world.tick()
    upload(world, one)

    assert (one.stage, events) == ("processing", [])


@pytest.mark.parametrize(
    ("choice", "answer"),
    [
        ("processing", {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 0}),
        ("processing_without_bytes", {"status": "PROCESSING_UPLOAD"}),
    ],
)
def test_an_expired_upload_may_stay_in_processing_for_ever(
    world: World, events: list[str], choice: Any, answer: dict[str, Any]
) -> None:
    world.switches.expired_upload = choice
    one = start(world)
    world.clock.advance(100 * HOUR_S)

    world.tick()

    assert [world.poll(one) for _ in range(3)] == [answer] * 3
    assert events == []
    upload(world, one)  # nobody was told that it failed
    assert one.stage == "processing"


@pytest.mark.parametrize(
    ("media", "reason"), [("video", "video_pull_failed"), ("photo", "photo_pull_failed")]
)
def test_a_pull_fails_with_its_hour(world: World, media: Any, reason: str) -> None:
    one = world.start_direct_post(world.accounts[0], PUBLIC, VIDEO, media)
    assert world.poll(one) == {"status": "PROCESSING_DOWNLOAD", "downloaded_bytes": 0}

    world.clock.advance(HOUR_S)

    assert world.poll(one) == {"status": "FAILED", "fail_reason": reason}


def test_a_pull_that_downloads_can_be_cancelled(world: World, events: list[str]) -> None:
    one = world.start_direct_post(world.accounts[0], PUBLIC, VIDEO)

    world.lifecycle.cancel(one)

    assert world.poll(one) == {"status": "FAILED", "fail_reason": "publish_cancelled"}
    assert events == ["failed"]


@pytest.mark.parametrize(
    ("is_complete", "switch", "choice", "status"),
    [
        (False, "cancel_upload", "done", "FAILED"),
        (False, "cancel_upload", "ignored", "PROCESSING_UPLOAD"),
        (True, "cancel_processing", "done", "FAILED"),
        (True, "cancel_processing", "ignored", "PROCESSING_UPLOAD"),
    ],
)
def test_what_a_cancel_does_elsewhere_is_a_switch(
    world: World, is_complete: bool, switch: str, choice: str, status: str
) -> None:
    world.switches.set({switch: choice})
    one = start(world)
    if is_complete:
        upload(world, one)

    world.lifecycle.cancel(one)

    assert world.poll(one)["status"] == status


def test_what_is_final_or_by_default_has_all_its_bytes_cannot_be_cancelled(world: World) -> None:
    processing, published, cancelled, draft = (
        start(world),
        start(world),
        start(world),
        start(world, draft=True),
    )
    for one in (processing, published, draft):
        upload(world, one)
    for one in (published, draft):
        world.lifecycle.settle(one)
    world.lifecycle.cancel(cancelled)

    for one in (processing, published, cancelled, draft):
        with pytest.raises(ApiError) as caught:
            world.lifecycle.cancel(one)
        assert (caught.value.code, caught.value.status) == ("publish_not_cancellable", 400)


def test_a_post_may_be_shown_to_everyone_later_and_hidden_again(
    world: World, events: list[str]
) -> None:
    one = upload(world, start(world, level="SELF_ONLY"))
    statuses(world, one, 5)

    world.lifecycle.change_privacy(one, "PUBLIC_TO_EVERYONE")
    shown = [world.poll(one) for _ in range(2)]
    world.lifecycle.change_privacy(one, "SELF_ONLY")

    assert shown[0] == {"status": "PUBLISH_COMPLETE"}
    assert shown[1]["publicaly_available_post_id"] == [one.post_id]
    assert world.poll(one) == {"status": "PUBLISH_COMPLETE"}
    assert events == ["complete", "publicly_available", "no_longer_publicaly_available"]


def test_a_deleted_post_loses_its_id_for_good(world: World, events: list[str]) -> None:
    one = upload(world, start(world))
    statuses(world, one, 3)

    world.lifecycle.delete(one)

    assert [world.poll(one) for _ in range(3)] == [{"status": "PUBLISH_COMPLETE"}] * 3
    assert events[-1] == "no_longer_publicaly_available"
    assert events.count("publicly_available") == 1


def test_what_was_given_up_may_still_be_published(world: World, events: list[str]) -> None:
    one = start(world)
    world.clock.advance(HOUR_S)
    world.poll(one)

    world.lifecycle.finish(one, 7)

    assert world.poll(one)["status"] == "PUBLISH_COMPLETE"
    assert one.post_ids == [7]
    assert events == ["failed", "complete"]


@given(moves=st.lists(st.sampled_from(["poll", "tick", "hour", "cancel"]), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_in_whatever_order_it_is_asked_a_final_status_stays_and_is_told_once(
    world: World, moves: list[str]
) -> None:
    world.reset()
    heard: list[str] = []

    def listen(_: Publication, event: str) -> None:
        heard.append(event)

    world.listeners.append(listen)
    one = upload(world, start(world))
    finals: list[str] = []
    for move in moves:
        if move == "poll":
            finals += [one for one in statuses(world, one, 1) if one != "PROCESSING_UPLOAD"]
        elif move == "tick":
            world.tick()
        elif move == "hour":
            world.clock.advance(HOUR_S)
        else:
            with pytest.raises(ApiError):
                world.lifecycle.cancel(one)
    world.listeners.remove(listen)

    assert len(set(finals)) <= 1
    assert len(heard) == len(set(heard))
