"""The control routes: what they show and what they steer."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


def test_fail_ends_the_next_upload(api: Any, call: Call, put: Call, init: Call) -> None:
    api.request("POST", "/_sim/fail", json={"fail_reason": "duration_check_failed"})
    task = init(3)
    put(task["upload_url"], b"abc", 0, 3)

    states = [
        call("status/fetch/", {"publish_id": task["publish_id"]}).json()["data"] for _ in range(2)
    ]

    assert states[0]["status"] == "PROCESSING_UPLOAD"
    assert states[1] == {"status": "FAILED", "fail_reason": "duration_check_failed"}
    assert api.request("GET", "/_sim/posts").json()["posts"] == []


def test_a_fault_armed_over_http_is_met(api: Any, call: Call) -> None:
    fault = {"call": "status", "kind": "error", "status": 500, "times": 2}
    assert api.request("POST", "/_sim/fault", json=fault).json() == {"ok": True}

    statuses = [call("status/fetch/", {"publish_id": "x"}).status_code for _ in range(3)]

    assert statuses == [500, 500, 400]


def test_reset_forgets_the_posts_and_keeps_the_accounts(api: Any, put: Call, init: Call) -> None:
    put(init(3)["upload_url"], b"abc", 0, 3)

    assert api.request("POST", "/_sim/reset").status_code == 200

    assert api.request("GET", "/_sim/posts").json()["posts"] == []
    assert api.request("GET", "/_sim/uploads").json()["uploads"] == []
    init(3)


def test_nobody_is_held_at_first(api: Any) -> None:
    hold = {"chunk": -1, "when": "after"}

    assert api.request("POST", "/_sim/hold", json=hold).json() == {"ok": True}
    assert api.request("GET", "/_sim/held").json() == {"held": False}
    assert api.request("POST", "/_sim/release").json() == {"ok": True}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {}),
        ("clock", {"advance_s": "1"}),
        ("clock", {"advance_s": True}),
        ("clock", {"advance_s": -1}),
        ("clock", {"advance_s": 1e300}),
        ("clock", {"advance_s": 1, "unit": "s"}),
        ("fault", {}),
        ("fault", {"call": "publish", "kind": "error"}),
        ("fault", {"call": ["put"], "kind": "error"}),
        ("fault", {"call": "put", "kind": "slow"}),
        ("fault", {"call": "put", "kind": "error", "when": "never"}),
        ("fault", {"call": "put", "kind": "error", "status": 99}),
        ("fault", {"call": "put", "kind": "error", "status": "503"}),
        ("fault", {"call": "put", "kind": "error", "times": 0}),
        ("fault", {"call": "put", "kind": "error", "chunk": -2}),
        ("fault", {"call": "put", "kind": "error", "code": "Not A Code"}),
        ("fault", {"call": "init", "kind": "error", "chunk": 0}),
        ("hold", {"chunk": 0}),
        ("hold", {"when": "after"}),
        ("hold", {"chunk": 1.0, "when": "after"}),
        ("fail", {}),
        ("fail", {"fail_reason": ""}),
        ("fail", {"fail_reason": 5}),
        ("fail", []),
    ],
)
def test_a_request_that_means_nothing_gets_a_sentence(api: Any, path: str, body: Any) -> None:
    answer = api.request("POST", f"/_sim/{path}", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


def test_a_body_that_is_no_json_gets_a_sentence(api: Any) -> None:
    answer = api.request("POST", "/_sim/clock", content=b"{")

    assert answer.status_code == 400
    assert "not JSON" in answer.json()["error"]
