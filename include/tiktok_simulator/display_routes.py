"""The Display API over HTTP: user info, video list, video query (D-UI, D-VO)."""

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tiktok_simulator import display, rules
from tiktok_simulator.accounts import Account
from tiktok_simulator.answers import answer
from tiktok_simulator.state import World


class DisplayRoutes:
    """The three calls that read what was published."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes; every documented path ends in a slash."""
        return [
            Route("/v2/user/info/", self.show_user, methods=["GET"]),
            Route("/v2/video/list/", self.list_videos, methods=["POST"]),
            Route("/v2/video/query/", self.query_videos, methods=["POST"]),
        ]

    async def show_user(self, request: Request) -> Response:
        """D-UI."""

        def handle(account: Account, content_type: str | None, body: bytes) -> dict[str, Any]:
            names = display.parse_fields(request.query_params.get("fields"), display.USER_FIELDS)
            videos, now_s = self._videos(account), self._world.clock.now()
            return {"user": display.user_object(account, names, videos, now_s)}

        scopes = ("user.info.basic", "user.info.profile", "user.info.stats")
        return await answer(self._world, request, "user_info", scopes, handle)

    async def list_videos(self, request: Request) -> Response:
        """D-VO."""

        def handle(account: Account, content_type: str | None, body: bytes) -> dict[str, Any]:
            names = display.parse_fields(request.query_params.get("fields"), display.VIDEO_FIELDS)
            fields = rules.json_object(content_type, body) if body else {}
            page, position = display.list_videos(fields, self._videos(account))
            return {"videos": self._objects(page, account, names), **position}

        return await answer(self._world, request, "video_list", ("video.list",), handle)

    async def query_videos(self, request: Request) -> Response:
        """D-VO."""

        def handle(account: Account, content_type: str | None, body: bytes) -> dict[str, Any]:
            names = display.parse_fields(request.query_params.get("fields"), display.VIDEO_FIELDS)
            fields = rules.json_object(content_type, body)
            found = display.query_videos(fields, self._videos(account))
            return {"videos": self._objects(found, account, names)}

        return await answer(self._world, request, "video_query", ("video.list",), handle)

    def _videos(self, account: Account) -> list[display.Video]:
        self._world.tick()
        return display.public_videos(account, self._world.publications.values())

    def _objects(
        self, videos: Iterable[display.Video], account: Account, names: list[str]
    ) -> list[dict[str, Any]]:
        now_s = self._world.clock.now()
        return [display.video_object(one, account, names, now_s) for one in videos]
