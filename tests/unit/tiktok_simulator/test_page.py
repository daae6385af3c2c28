"""The inspection page shows what there is, and trusts none of it."""

import re
from collections import deque
from collections.abc import Callable
from typing import Any

from tiktok_simulator.faults import Fault, Script, Target
from tiktok_simulator.lifecycle import ArmedFailure
from tiktok_simulator.publication import Pull
from tiktok_simulator.state import World

Call = Callable[..., Any]


def test_an_empty_world_has_a_page(api: Any) -> None:
    answer = api.request("GET", "/_sim/")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.count("none") >= 4


def test_posts_uploads_trouble_and_calls_are_shown(
    api: Any, call: Call, put: Call, init: Call, world: World
) -> None:
    done, half = init(3), init(4)
    put(done["upload_url"], b"abc", 0, 3)
    world.start_direct_post(world.accounts[1], {}, Pull(("https://media.example/a.mp4",)))
    world.faults.arm(Fault("put", "error", chunk=-1, times=3))
    world.faults.arm_script(Script(Target("init"), deque([None])))
    world.lifecycle.failures.append(ArmedFailure("spam_risk"))

    page = api.request("GET", "/_sim/").text

    for text in (
        done["publish_id"],
        half["publish_id"],
        "v_pub_url~v2-1.",
        "aurora.kitchen",
        str(world.publications[done["publish_id"]].received.sha256),
        '<progress value="0" max="4">',
        "chunk -1",
        "script",
        "FAILED, spam_risk",
        "/v2/post/publish/video/init/",
    ):
        assert text in page


def test_what_a_client_sends_is_text_and_never_markup(
    api: Any, call: Call, put: Call, world: World
) -> None:
    source = {"source": "FILE_UPLOAD", "video_size": 1, "chunk_size": 1, "total_chunk_count": 1}
    info = {"privacy_level": "SELF_ONLY", "title": "<script>alert(1)</script>"}
    body = {"post_info": info, "source_info": source}
    task = call("video/init/", body).json()["data"]
    put(task["upload_url"], b"a", 0, 1)
    api.request("GET", "/<b>")

    page = api.request("GET", "/_sim/").text

    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<b>" not in re.sub(r"<b>\d+</b>", "", page)


def test_the_page_shows_no_secret_and_loads_nothing(api: Any, init: Call, world: World) -> None:
    task = init(3)

    answer = api.request("GET", "/_sim/")

    assert world.accounts[0].access_token not in answer.text
    assert world.publications[task["publish_id"]].upload_token not in answer.text
    assert "http" not in answer.text.replace("<!doctype html><html", "").replace("</html>", "")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_page_leads_to_the_documentation(api: Any) -> None:
    assert 'href="README.md"' in api.request("GET", "/_sim/").text
    assert api.request("GET", "/_sim/README.md").text.startswith("# tiktok_simulator")
