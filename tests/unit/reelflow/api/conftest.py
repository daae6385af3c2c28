"""The web application in this process, on a ledger in a tmp folder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from reelflow.api.app import API_PATH, assemble_app
from reelflow.api.platform import Platform
from reelflow.ledger.models import Account, Post
from reelflow.services.publishing.public_media import PublicMedia
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient
from tests.known_users import KnownUsers
from tests.token_server import CLIENT_KEY, CLIENT_SECRET, TokenServer, token_server

#: Of the file that signed URLs give.
CONTENT = os.urandom(1000)
PUBLIC_URL = "https://reelflow.example"


class Web:
    """Speaks HTTP to the application, below the API's path; its mistakes are answers too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            base_url = f"http://web.test{API_PATH}"
            async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> httpx.Response:
        return self.request("HEAD", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> httpx.Response:
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> httpx.Response:
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", path, **options)


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    """TikTok's token calls."""
    with token_server() as server:
        yield server


@pytest.fixture
def platform(tokens: TokenServer) -> Platform:
    return Platform(
        CLIENT_KEY, CLIENT_SECRET, tokens.client, partial(TikTokClient, host=tokens.url)
    )


@pytest.fixture
def open_web(workspace: Workspace) -> Callable[[Platform | None], Web]:
    """Put the application together."""
    return lambda platform: Web(assemble_app(workspace, platform, KnownUsers()))


@pytest.fixture
def web(open_web: Callable[[Platform | None], Web], platform: Platform) -> Web:
    return open_web(platform)


@pytest.fixture
def make_signed(
    workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> Callable[[], str]:
    """Return the path of a signed URL of a file, below the API's own."""

    def make() -> str:
        media = make_post(account, content=CONTENT).media
        rules = replace(workspace.rules, public_url=PUBLIC_URL)
        url = PublicMedia(replace(workspace, rules=rules)).url(media)
        return url.removeprefix(PUBLIC_URL + API_PATH)

    return make
