"""The two applications share nothing but the world, and log no secret."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tiktok_simulator.state import World

Call = Callable[..., Any]


def test_the_upload_port_serves_uploads_only(api: Any, upload: Any) -> None:
    assert upload.request("POST", "/v2/post/publish/creator_info/query/").status_code == 404
    assert upload.request("GET", "/_sim/posts").status_code == 404
    assert api.request("PUT", "/upload").status_code == 404


def test_no_path_is_redirected_to_its_slash(api: Any) -> None:
    assert api.request("GET", "/_sim/posts/").status_code == 404
    assert api.request("POST", "/v2/post/publish/video/init").status_code == 404


def test_the_log_shows_no_token(
    world: World, put: Call, init: Call, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    task = init(1)
    put(task["upload_url"], b"a", 0, 1, Content_Type="image/png")
    put(task["upload_url"], b"a", 0, 1)

    ours = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("tiktok_")
    )

    assert "PUT /upload -> 201" in ours
    assert world.publications[task["publish_id"]].upload_token not in ours
    assert world.accounts[0].access_token not in ours
