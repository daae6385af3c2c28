"""HTTP on one side, the world on the other: the JSON calls under ``/v2/post/publish``."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tiktok_simulator import rules
from tiktok_simulator.accounts import Account
from tiktok_simulator.answers import answer
from tiktok_simulator.publication import Publication
from tiktok_simulator.state import World


class PublishRoutes:
    """The JSON calls under ``/v2/post/publish`` (D-ERR: envelope and codes)."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes; every documented path ends in a slash and takes POST."""
        base = "/v2/post/publish"
        return [
            Route(f"{base}/creator_info/query/", self.query_creator_info, methods=["POST"]),
            Route(f"{base}/video/init/", self.init_direct_post, methods=["POST"]),
            Route(f"{base}/inbox/video/init/", self.init_draft, methods=["POST"]),
            Route(f"{base}/status/fetch/", self.fetch_status, methods=["POST"]),
        ]

    async def query_creator_info(self, request: Request) -> Response:
        """D-CI."""

        def handle(account: Account, content_type: str | None, body: bytes) -> dict[str, Any]:
            rules.check_creator_info(content_type, body)
            self._world.check_can_post(account, status=200)  # D-CI: on purpose with HTTP 200
            return account.creator_info(self._world.clock.now())

        return await answer(self._world, request, "creator_info", ("video.publish",), handle)

    async def init_direct_post(self, request: Request) -> Response:
        """D-DP."""

        def handle(account: Account, content_type: str | None, body: bytes) -> dict[str, Any]:
            fields = rules.json_object(content_type, body)
            post_info, plan = rules.parse_direct_post(fields, account.privacy_level_options)
            return self._upload_task(self._world.start_direct_post(account, post_info, plan))

        return await answer(self._world, request, "init", ("video.publish",), handle)

    async def init_draft(self, request: Request) -> Response:
        """D-UP."""

        def handle(account: Account, content_type: str | None, body: bytes) -> dict[str, Any]:
            plan = rules.parse_draft(rules.json_object(content_type, body))
            return self._upload_task(self._world.start_draft(account, plan))

        return await answer(self._world, request, "init", ("video.upload",), handle)

    async def fetch_status(self, request: Request) -> Response:
        """D-ST."""

        def handle(account: Account, content_type: str | None, body: bytes) -> dict[str, Any]:
            publish_id = rules.parse_status_fetch(rules.json_object(content_type, body))
            return self._world.poll(self._world.find_publication(account, publish_id))

        return await answer(
            self._world, request, "status", ("video.publish", "video.upload"), handle
        )

    def _upload_task(self, publication: Publication) -> dict[str, Any]:
        upload_url = self._world.upload_url + publication.upload_path
        return {"publish_id": publication.publish_id, "upload_url": upload_url}
