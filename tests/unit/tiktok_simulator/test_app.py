"""The two applications share nothing but the world, and log no secret."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount

import tiktok_simulator
from tiktok_simulator.app import create_api_app
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


def test_the_readme_names_every_call_that_is_served(world: World) -> None:
    readme = (Path(tiktok_simulator.__file__).parent / "README.md").read_text(encoding="utf-8")
    app: Any = create_api_app(world)
    mounts = [one for one in app._app.routes if isinstance(one, Mount)]

    routes: list[Any] = [*app._app.routes, *mounts[0].routes]
    paths = [one.path for one in routes if not isinstance(one, Mount)]

    assert len(paths) > 30
    for path in set(paths) - {"/README.md"}:
        assert f" {path}`" in readme or f" {path}?" in readme, path
