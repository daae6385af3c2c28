"""The control routes: what they show and what they steer."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiktok_simulator.publication import Pull
from tiktok_simulator.state import World

Call = Callable[..., Any]
ABC = hashlib.sha256(b"abc").hexdigest()


def test_posts_lists_what_needs_no_further_byte(
    api: Any, put: Call, init: Call, world: World
) -> None:
    public, private, open_one = init(3), init(3, "SELF_ONLY", account=1), init(3)
    put(public["upload_url"], b"abc", 0, 3)
    put(private["upload_url"], b"abc", 0, 3)

    answer = api.request("GET", "/_sim/posts").json()

    assert [post["publish_id"] for post in answer["posts"]] == [
        public["publish_id"],
        private["publish_id"],
    ]
    assert answer["posts"][0] == {
        "publish_id": public["publish_id"],
        "post_id": str(world.publications[public["publish_id"]].post_id),
        "open_id": world.accounts[0].open_id,
        "media": "video",
        "sha256": ABC,
        "images": None,
        "bytes": 3,
        "privacy_level": "PUBLIC_TO_EVERYONE",
    }
    assert answer["posts"][1]["post_id"] is None
    assert (answer["drafts"], answer["duplicates"]) == ([], 0)
    assert open_one["publish_id"] in world.publications


def test_the_same_bytes_twice_for_one_account_are_a_duplicate(
    api: Any, put: Call, init: Call
) -> None:
    for account in (0, 0, 0, 1):
        put(init(3, account=account)["upload_url"], b"abc", 0, 3)
    put(init(3)["upload_url"], b"xyz", 0, 3)

    assert api.request("GET", "/_sim/posts").json()["duplicates"] == 2


def test_a_draft_is_no_post_but_may_be_a_duplicate(api: Any, call: Call, put: Call) -> None:
    plan = {"source": "FILE_UPLOAD", "video_size": 3, "chunk_size": 3, "total_chunk_count": 1}
    for _ in range(2):
        task = call("inbox/video/init/", {"source_info": plan}).json()["data"]
        put(task["upload_url"], b"abc", 0, 3)

    answer = api.request("GET", "/_sim/posts").json()

    assert (answer["posts"], len(answer["drafts"]), answer["duplicates"]) == ([], 2, 1)


def test_uploads_shows_every_publication_without_moving_it(
    api: Any, put: Call, init: Call, world: World
) -> None:
    task = init(3)
    put(task["upload_url"], b"abc", 0, 3, Authorization="Bearer x")

    answer = api.request("GET", "/_sim/uploads").json()

    assert answer == {
        "uploads": [
            {
                "publish_id": task["publish_id"],
                "open_id": world.accounts[0].open_id,
                "kind": "direct",
                "media": "video",
                "source": "FILE_UPLOAD",
                "state": "PROCESSING_UPLOAD",
                "fail_reason": None,
                "video_size": 3,
                "chunk_size": 3,
                "total_chunks": 1,
                "cover_index": None,
                "downloaded_bytes": None,
                "download_attempts": None,
                "received_bytes": 0,
                "chunks": [],
                "sha256": hashlib.sha256(b"").hexdigest(),
                "images": None,
                "post_info": {"privacy_level": "PUBLIC_TO_EVERYONE"},
                "authorization_seen": 1,
            }
        ],
        "authorization_violations": 1,
    }
    assert world.publications[task["publish_id"]].polls == 0


def test_the_stored_bytes_can_be_read_back(api: Any, put: Call, init: Call) -> None:
    task = init(3)
    put(task["upload_url"], b"abc", 0, 3)

    answer = api.request("GET", f"/_sim/uploads/{task['publish_id']}/content")

    assert answer.content == b"abc"
    assert api.request("GET", "/_sim/uploads/unknown/content").status_code == 404


def test_a_discarding_simulator_counts_but_has_no_bytes(
    api: Any, put: Call, init: Call, world: World, tmp_path: Path
) -> None:
    world.directory = None
    first, second = init(3), init(3)
    for task in (first, second):
        assert put(task["upload_url"], b"abc", 0, 3).status_code == 201

    answer = api.request("GET", "/_sim/posts").json()

    assert [(post["bytes"], post["sha256"]) for post in answer["posts"]] == [(3, None)] * 2
    assert answer["duplicates"] == 0
    assert list(tmp_path.iterdir()) == []
    content = api.request("GET", f"/_sim/uploads/{first['publish_id']}/content")
    assert content.status_code == 404
    assert "--discard" in content.json()["error"]


def test_the_clock_can_be_put_forward(api: Any, world: World) -> None:
    before = world.clock.now()

    answer = api.request("POST", "/_sim/clock", json={"advance_s": 3600.5})

    assert answer.json() == {"now": before + 3600.5}
    assert world.clock.now() == before + 3600.5


def test_reset_forgets_the_posts_and_keeps_the_accounts(api: Any, put: Call, init: Call) -> None:
    put(init(3)["upload_url"], b"abc", 0, 3)

    assert api.request("POST", "/_sim/reset").status_code == 200

    assert api.request("GET", "/_sim/posts").json()["posts"] == []
    assert api.request("GET", "/_sim/uploads").json()["uploads"] == []
    init(3)


def test_a_title_that_no_answer_could_repeat_is_refused_and_uploads_are_still_listed(
    api: Any, world: World
) -> None:
    plan = {"source": "FILE_UPLOAD", "video_size": 3, "chunk_size": 3, "total_chunk_count": 1}
    post_info = {"privacy_level": "SELF_ONLY", "title": "half a pair: \ud83d"}
    headers = {
        "Authorization": f"Bearer {world.accounts[0].access_token}",
        "Content-Type": "application/json; charset=UTF-8",
    }
    body = json.dumps({"post_info": post_info, "source_info": plan}).encode("ascii")

    answer = api.request("POST", "/v2/post/publish/video/init/", content=body, headers=headers)

    assert answer.json().get("error", {}).get("code") == "invalid_params"
    assert api.request("GET", "/_sim/uploads").json()["uploads"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {}),
        ("clock", {"advance_s": "1"}),
        ("clock", {"advance_s": True}),
        ("clock", {"advance_s": -1}),
        ("clock", {"advance_s": 1e300}),
        ("clock", {"advance_s": 1, "unit": "s"}),
        ("clock", []),
        ("switches", {"progress": "first"}),
        ("switches", {"speed": 1}),
        ("connect-to", {"host": "media.example"}),
        ("connect-to", {"host": "media.example", "address": "https://127.0.0.1:1"}),
        ("connect-to", {"host": 1, "address": "http://127.0.0.1:1"}),
        ("connect-to", {"host": "media.example", "address": "http://8.8.8.8:80"}),
        ("switches", {"pull_attempts": 0}),
    ],
)
def test_a_request_that_means_nothing_gets_a_sentence(api: Any, path: str, body: Any) -> None:
    answer = api.request("POST", f"/_sim/{path}", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


def test_a_body_that_is_no_json_gets_a_sentence(api: Any) -> None:
    for content in (b"{", b"[" * 100_000, b'{"advance_s": "\\ud83d"}'):
        answer = api.request("POST", "/_sim/clock", content=content)

        assert answer.status_code == 400
        assert "not JSON" in answer.json()["error"]


def test_switches_are_shown_changed_and_put_back_by_a_reset(api: Any, world: World) -> None:
    world.switches.set({"processing_polls": 1})

    answer = api.request("POST", "/_sim/switches", json={"progress": "last_index"})

    assert answer.json()["switches"]["progress"] == "last_index"
    assert world.switches.progress == "last_index"
    api.request("POST", "/_sim/reset")
    switches = api.request("GET", "/_sim/switches").json()["switches"]
    assert (switches["progress"], switches["processing_s"]) == ("count", None)


def test_a_host_can_be_mapped_until_a_reset(api: Any, world: World) -> None:
    mapping = {"host": "media.example", "address": "http://127.0.0.1:8000"}

    api.request("POST", "/_sim/connect-to", json=mapping)

    assert world.connect_to == {"media.example": "http://127.0.0.1:8000"}
    api.request("POST", "/_sim/reset")
    assert world.connect_to == {}


def test_photo_posts_are_compared_by_their_images(api: Any, world: World) -> None:
    images = Pull(("https://media.example/1.jpg", "https://media.example/2.jpg"), 0)
    for contents in ((b"one", b"two"), (b"one", b"two"), (b"two", b"one")):
        post = world.start_direct_post(world.accounts[0], {}, images, "photo")
        for content in contents:
            chunk = post.received.open_chunk()
            chunk.write(content)
            post.received.store(chunk)
        world.complete(post)

    answer = api.request("GET", "/_sim/posts").json()

    digests = [hashlib.sha256(content).hexdigest() for content in (b"one", b"two")]
    assert answer["posts"][0]["images"] == digests
    assert answer["posts"][0]["media"] == "photo"
    assert answer["duplicates"] == 1
