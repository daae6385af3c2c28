"""A world on a clock that stands still, and clients of its two applications."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from tiktok_simulator.accounts import make_accounts
from tiktok_simulator.app import create_api_app, create_upload_app
from tiktok_simulator.clock import Clock
from tiktok_simulator.state import World

NOW_S = 1_795_000_000.0


class AsgiClient:
    """Speaks HTTP to an application in this process, one request on one event loop."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(
        accounts=make_accounts(seed=1),
        upload_url="http://upload.test",
        directory=tmp_path,
        clock=Clock(lambda: NOW_S),
    )


@pytest.fixture
def api(world: World) -> AsgiClient:
    return AsgiClient(create_api_app(world))


@pytest.fixture
def upload(world: World) -> AsgiClient:
    return AsgiClient(create_upload_app(world))


@pytest.fixture
def call(world: World, api: AsgiClient) -> Callable[..., Any]:
    """Call the API as the first account (or another) and return the response."""

    def call(path: str, body: Any = None, *, account: int = 0) -> Any:
        headers = {"Authorization": f"Bearer {world.accounts[account].access_token}"}
        return api.request("POST", f"/v2/post/publish/{path}", json=body, headers=headers)

    return call


@pytest.fixture
def put(upload: AsgiClient) -> Callable[..., Any]:
    """PUT one chunk with right headers (or others) and return the response."""

    def put(url: str, data: bytes, first: int, total: int, **headers: str) -> Any:
        sent = {
            "Content-Type": "video/mp4",
            "Content-Range": f"bytes {first}-{first + len(data) - 1}/{total}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return upload.request("PUT", url, content=data, headers=sent)

    return put


@pytest.fixture
def init(call: Callable[..., Any]) -> Callable[..., dict[str, str]]:
    """Open a direct post of this many bytes in one chunk; return its publish_id and upload_url."""

    def init(
        video_size: int, privacy_level: str = "PUBLIC_TO_EVERYONE", account: int = 0
    ) -> dict[str, str]:
        body = {
            "post_info": {"privacy_level": privacy_level},
            "source_info": {
                "source": "FILE_UPLOAD",
                "video_size": video_size,
                "chunk_size": video_size,
                "total_chunk_count": 1,
            },
        }
        response = call("video/init/", body, account=account)
        assert response.status_code == 200, response.text
        return dict(response.json()["data"])

    return init
