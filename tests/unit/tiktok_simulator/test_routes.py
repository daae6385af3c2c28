"""The calls over HTTP: envelope, order of checks, the PUT's answers."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.faults import Fault
from tiktok_simulator.state import World

HOUR_S = 3600
CHUNK = 5_242_880
Call = Callable[..., Any]


def source(size: int, chunk: int, count: int) -> dict[str, Any]:
    return {
        "source": "FILE_UPLOAD",
        "video_size": size,
        "chunk_size": chunk,
        "total_chunk_count": count,
    }


def test_a_success_carries_data_and_an_ok_error(call: Call) -> None:
    answer = call("creator_info/query/")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    body = answer.json()
    assert body["data"]["creator_username"] == "aurora.kitchen"
    assert (body["error"]["code"], body["error"]["message"]) == ("ok", "")
    assert answer.headers["x-tt-logid"] == body["error"]["log_id"]


def test_a_refusal_has_no_data_and_a_log_id_of_34_characters(call: Call) -> None:
    answer = call("status/fetch/", {"publish_id": "v_pub_file~v2-1.1"})

    assert answer.status_code == 400
    body = answer.json()
    assert list(body) == ["error"]
    assert body["error"]["code"] == "invalid_publish_id"
    assert re.fullmatch(r"\d{14}[0-9A-F]{20}", body["error"]["log_id"])


@pytest.mark.parametrize(
    "path",
    [
        "creator_info/query/",
        "video/init/",
        "inbox/video/init/",
        "content/init/",
        "status/fetch/",
        "cancel/",
    ],
)
def test_every_call_needs_a_valid_token_its_slash_and_post(api: Any, call: Call, path: str) -> None:
    url = f"/v2/post/publish/{path}"
    stranger = {"Authorization": "Bearer act.unknown"}

    assert api.request("POST", url).json()["error"]["code"] == "access_token_invalid"
    assert api.request("POST", url, headers=stranger).status_code == 401
    assert call(path.rstrip("/")).status_code == 404
    assert api.request("GET", url).status_code == 405


@pytest.mark.parametrize(
    ("path", "granted", "status"),
    [
        ("creator_info/query/", "video.upload", 401),
        ("video/init/", "video.upload", 401),
        ("inbox/video/init/", "video.publish", 401),
        ("inbox/video/init/", "video.upload", 200),
        ("status/fetch/", "user.info.basic", 401),
    ],
)
def test_each_call_needs_its_scope(
    world: World, call: Call, path: str, granted: str, status: int
) -> None:
    world.accounts[0].scopes = (granted,)

    answer = call(path, {"source_info": source(10, 10, 1)})

    assert answer.status_code == status
    if status == 401:
        assert answer.json()["error"]["code"] == "scope_not_authorized"


def test_an_invalid_body_counts_in_the_window_and_the_seventh_init_is_a_429(call: Call) -> None:
    codes = [call("video/init/", {}).json()["error"]["code"] for _ in range(5)]
    draft = call("inbox/video/init/", {"source_info": source(10, 10, 1)})
    seventh = call("video/init/", {})

    assert codes == ["invalid_params"] * 5
    assert draft.status_code == 200
    assert seventh.status_code == 429
    assert seventh.json()["error"]["code"] == "rate_limit_exceeded"
    assert call("video/init/", {}, account=1).status_code == 400


def test_a_body_beyond_all_measure_is_refused(call: Call) -> None:
    answer = call("status/fetch/", {"publish_id": "a" * 2**16})

    assert answer.json()["error"]["message"] == "The request body is too large"


def test_creator_info_says_with_http_200_that_the_day_is_full(
    call: Call, put: Call, world: World
) -> None:
    full = [world.start_direct_post(world.accounts[0], {}, UploadPlan(1, 1, 1)) for _ in range(15)]
    for one in full:
        put(one.upload_path, b"a", 0, 1)

    answer = call("creator_info/query/")

    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == "spam_risk_too_many_posts"
    assert "data" not in answer.json()


def test_an_init_gives_an_upload_url_on_the_other_address(init: Call) -> None:
    data = init(10)

    pattern = r"http://upload\.test/upload\?upload_id=\d{19}&upload_token=[0-9a-f-]{36}"
    assert re.fullmatch(pattern, data["upload_url"])
    assert len(data["upload_url"]) <= 256


def test_the_post_id_is_a_bare_integer_that_a_float64_would_change(
    call: Call, put: Call, init: Call
) -> None:
    task = init(1)
    put(task["upload_url"], b"a", 0, 1)
    call("status/fetch/", {"publish_id": task["publish_id"]})
    call("status/fetch/", {"publish_id": task["publish_id"]})

    raw = call("status/fetch/", {"publish_id": task["publish_id"]}).content

    match = re.search(rb'"publicaly_available_post_id":\[(\d{19})\]', raw)
    assert match is not None
    lossy = json.loads(raw, parse_int=float)["data"]["publicaly_available_post_id"][0]
    assert int(lossy) != int(match[1])


@pytest.mark.parametrize(("when", "tasks"), [("before", 0), ("after", 1)])
def test_a_fault_of_init_strikes_before_or_after_the_task_exists(
    call: Call, world: World, when: Any, tasks: int
) -> None:
    world.faults.arm(Fault("init", "error", when=when))

    answer = call("inbox/video/init/", {"source_info": source(10, 10, 1)})

    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert len(world.publications) == tasks


def test_a_fault_may_speak_with_tiktoks_own_code(call: Call, world: World) -> None:
    world.faults.arm(
        Fault("creator_info", "error", status=200, code="spam_risk_user_banned_from_posting")
    )

    answer = call("creator_info/query/")

    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == "spam_risk_user_banned_from_posting"
    assert call("creator_info/query/").json()["error"]["code"] == "ok"


PULL = {"source": "PULL_FROM_URL", "video_url": "https://media.example/a.mp4"}
IMAGES: dict[str, Any] = {
    "source": "PULL_FROM_URL",
    "photo_images": ["https://media.example/1.jpg"],
    "photo_cover_index": 0,
}


def photos(mode: str = "DIRECT_POST", **source_info: Any) -> dict[str, Any]:
    return {
        "media_type": "PHOTO",
        "post_mode": mode,
        "post_info": {"privacy_level": "SELF_ONLY"},
        "source_info": {**IMAGES, **source_info},
    }


@pytest.mark.parametrize(
    ("path", "body", "prefix"),
    [
        ("video/init/", {"post_info": {"privacy_level": "SELF_ONLY"}}, "v_pub_url~v2-1."),
        ("inbox/video/init/", {}, "v_inbox_url~v2."),
        ("content/init/", photos(), "p_pub_url~v2."),
        ("content/init/", photos("MEDIA_UPLOAD"), "p_inbox_url~v2."),
    ],
)
def test_a_pull_from_a_verified_property_has_no_upload_url(
    call: Call, world: World, path: str, body: dict[str, Any], prefix: str
) -> None:
    world.app.verified_domains = ("media.example",)

    data = call(path, {"source_info": PULL, **body}).json()["data"]

    assert list(data) == ["publish_id"]
    assert data["publish_id"].startswith(prefix)
    status = call("status/fetch/", data).json()["data"]
    assert status == {"status": "PROCESSING_DOWNLOAD", "downloaded_bytes": 0}


def test_a_pull_from_nobodys_property_is_a_403_and_leaves_nothing(call: Call, world: World) -> None:
    world.app.verified_domains = ("media.example",)
    elsewhere = "https://elsewhere.example/2.jpg"
    answers = [
        call("inbox/video/init/", {"source_info": {**PULL, "video_url": elsewhere}}),
        call("content/init/", photos(photo_images=[*IMAGES["photo_images"], elsewhere])),
    ]

    for answer in answers:
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "url_ownership_unverified"
    assert world.publications == {}


@pytest.mark.parametrize(
    ("mode", "granted", "status"),
    [
        ("DIRECT_POST", "video.publish", 200),
        ("DIRECT_POST", "video.upload", 401),
        ("MEDIA_UPLOAD", "video.upload", 200),
        ("MEDIA_UPLOAD", "video.publish", 401),
    ],
)
def test_each_mode_of_a_photo_post_needs_its_scope(
    call: Call, world: World, mode: str, granted: str, status: int
) -> None:
    world.app.verified_domains = ("media.example",)
    world.accounts[0].scopes = (granted,)

    assert call("content/init/", photos(mode)).status_code == status


def test_cancel_answers_no_data_and_then_that_it_is_too_late(call: Call, world: World) -> None:
    world.app.verified_domains = ("media.example",)
    task = call("inbox/video/init/", {"source_info": PULL}).json()["data"]

    first, second = call("cancel/", task), call("cancel/", task)

    assert (first.status_code, list(first.json())) == (200, ["error"])
    assert first.json()["error"]["code"] == "ok"
    assert (second.status_code, second.json()["error"]["code"]) == (400, "publish_not_cancellable")
    status = call("status/fetch/", task).json()["data"]
    assert status == {"status": "FAILED", "fail_reason": "publish_cancelled"}


def test_cancel_refuses_someone_elses_publication_and_an_unknown_one(
    call: Call, init: Call
) -> None:
    codes = [
        call("cancel/", init(1), account=0).json()["error"]["code"],
        call("cancel/", {"publish_id": init(1)["publish_id"]}, account=1).json()["error"]["code"],
        call("cancel/", {"publish_id": "p"}).json()["error"]["code"],
    ]

    assert codes == [
        "invalid_params",  # the upload_url is no field of it
        "token_not_authorized_for_specified_publish_id",
        "invalid_publish_id",
    ]


def test_a_refused_body_may_be_spelled_as_the_pages_spell_it(call: Call, world: World) -> None:
    world.switches.invalid_code = "invalid_param"

    answer = call("content/init/", {})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_param")


def test_a_fault_of_cancel_strikes_after_its_work(call: Call, init: Call, world: World) -> None:
    task = {"publish_id": init(1)["publish_id"]}
    world.faults.arm(Fault("cancel", "error", when="after", publish_id=task["publish_id"]))

    assert call("cancel/", task).status_code == 503
    assert call("status/fetch/", task).json()["data"]["fail_reason"] == "publish_cancelled"


def test_an_after_fault_of_init_may_be_aimed_at_the_creator(call: Call, world: World) -> None:
    world.faults.arm(Fault("init", "error", when="after", open_id=world.accounts[1].open_id))
    body = {"source_info": source(10, 10, 1)}

    statuses = [call("inbox/video/init/", body, account=one).status_code for one in (0, 1)]

    assert (statuses, len(world.publications)) == ([200, 503], 2)
