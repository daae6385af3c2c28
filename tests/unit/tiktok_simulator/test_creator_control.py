"""The control routes that play creators and moderation."""

from collections.abc import Callable
from typing import Any

import pytest

from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.publication import Publication
from tiktok_simulator.state import World

Call = Callable[..., Any]


@pytest.fixture
def post(world: World, put: Call, init: Call) -> Publication:
    """A public post that has its id."""
    task = init(1)
    put(task["upload_url"], b"a", 0, 1)
    publication = world.publications[task["publish_id"]]
    for _ in range(3):
        world.poll(publication)
    return publication


@pytest.fixture
def draft(world: World, put: Call) -> Publication:
    """A draft in its creator's inbox."""
    draft = world.start_draft(world.accounts[0], UploadPlan(1, 1, 1))
    put(draft.upload_path, b"a", 0, 1)
    world.lifecycle.settle(draft)
    return draft


def steer(api: Any, path: str, **body: Any) -> Any:
    return api.request("POST", f"/_sim/{path}", json=body)


def test_a_creator_posts_a_draft(api: Any, world: World, draft: Publication) -> None:
    answer = steer(api, f"drafts/{draft.publish_id}/post")

    assert answer.json() == {"post_id": str(draft.post_id)}
    assert world.poll(draft) == {"status": "PUBLISH_COMPLETE"}
    assert world.poll(draft)["publicaly_available_post_id"] == [draft.post_id]
    (shown,) = api.request("GET", "/_sim/posts").json()["drafts"]
    assert shown["post_id"] == str(draft.post_id)


def test_a_creator_posts_a_draft_for_friends(api: Any, world: World, draft: Publication) -> None:
    steer(api, f"drafts/{draft.publish_id}/post", privacy_level="MUTUAL_FOLLOW_FRIENDS")

    assert [world.poll(draft) for _ in range(3)] == [{"status": "PUBLISH_COMPLETE"}] * 3


def test_a_creator_hides_shows_and_deletes_a_post(
    api: Any, world: World, post: Publication
) -> None:
    assert "publicaly_available_post_id" in world.current_status(post)

    steer(api, f"posts/{post.publish_id}/privacy", privacy_level="SELF_ONLY")
    assert world.poll(post) == {"status": "PUBLISH_COMPLETE"}

    steer(api, f"posts/{post.publish_id}/privacy", privacy_level="PUBLIC_TO_EVERYONE")
    assert "publicaly_available_post_id" in [world.poll(post) for _ in range(2)][1]

    steer(api, f"posts/{post.publish_id}/delete")
    assert world.poll(post) == {"status": "PUBLISH_COMPLETE"}
    assert api.request("GET", "/_sim/posts").json()["posts"] == []


def test_people_view_a_post_as_often_as_a_test_says(
    api: Any, world: World, post: Publication
) -> None:
    def counts() -> dict[str, int]:
        answer = api.request(
            "POST",
            "/v2/video/query/?fields=view_count,like_count,comment_count",
            headers={"Authorization": f"Bearer {world.accounts[0].access_token}"},
            json={"filters": {"video_ids": [str(post.post_id)]}},
        )
        (video,) = answer.json()["data"]["videos"]
        return dict(video)

    steer(api, f"posts/{post.publish_id}/counts", view_count=2**40, like_count=5)
    assert counts() == {"view_count": 2**40, "like_count": 5, "comment_count": 0}

    world.clock.advance(3600)
    assert counts() == {"view_count": 2**40, "like_count": 5, "comment_count": 1}
    steer(api, f"posts/{post.publish_id}/counts", like_count=4)
    assert counts()["like_count"] == 4


def test_the_platform_publishes_what_was_given_up(api: Any, init: Call, world: World) -> None:
    task = init(1)
    publication = world.publications[task["publish_id"]]
    world.clock.advance(3600)
    assert world.poll(publication)["status"] == "FAILED"

    steer(api, f"uploads/{task['publish_id']}/complete")

    assert world.poll(publication)["status"] == "PUBLISH_COMPLETE"
    (post,) = api.request("GET", "/_sim/posts").json()["posts"]
    assert (post["publish_id"], post["bytes"]) == (task["publish_id"], 0)


def test_the_platform_fails_what_is_under_way(api: Any, init: Call, world: World) -> None:
    task = init(1)

    steer(api, f"uploads/{task['publish_id']}/fail", fail_reason="spam_risk")

    status = world.poll(world.publications[task["publish_id"]])
    assert status == {"status": "FAILED", "fail_reason": "spam_risk"}


def test_what_cannot_happen_now_gets_a_sentence(
    api: Any, init: Call, post: Publication, draft: Publication
) -> None:
    upload = init(1)["publish_id"]
    refusals = [
        steer(api, "posts/unknown/delete"),
        steer(api, f"posts/{upload}/delete"),
        steer(api, f"drafts/{upload}/post"),
        steer(api, f"drafts/{post.publish_id}/post"),
        steer(api, f"drafts/{draft.publish_id}/post", privacy_level="NOBODY"),
        steer(api, f"posts/{post.publish_id}/privacy"),
        steer(api, f"posts/{upload}/counts", view_count=1),
        steer(api, f"posts/{post.publish_id}/counts", view_count=-1),
        steer(api, f"posts/{post.publish_id}/counts", share_count=2**31),
        steer(api, f"posts/{post.publish_id}/counts", views=1),
        steer(api, f"uploads/{post.publish_id}/complete"),
        steer(api, f"uploads/{post.publish_id}/fail", fail_reason="internal"),
        steer(api, f"uploads/{upload}/fail", fail_reason="Not A Code"),
    ]

    assert [one.status_code for one in refusals] == [400] * len(refusals)
    assert all(one.json()["error"].endswith(".") for one in refusals)
