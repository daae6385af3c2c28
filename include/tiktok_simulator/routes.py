"""HTTP on one side, the world on the other: the JSON calls under ``/v2/post/publish``."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tiktok_simulator import rules
from tiktok_simulator.accounts import Account
from tiktok_simulator.answers import answer
from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.ownership import check_may_pull
from tiktok_simulator.photo_rules import parse_photo_post
from tiktok_simulator.publication import Publication, Pull
from tiktok_simulator.state import World

_EITHER_SCOPE = ("video.publish", "video.upload")


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
            Route(f"{base}/content/init/", self.init_photos, methods=["POST"]),
            Route(f"{base}/status/fetch/", self.fetch_status, methods=["POST"]),
            Route(f"{base}/cancel/", self.cancel, methods=["POST"]),
        ]

    async def query_creator_info(self, request: Request) -> Response:
        """D-CI."""

        def handle(account: Account, content_type: str | None, body: bytes) -> dict[str, Any]:
            rules.check_creator_info(content_type, body)
            self._world.caps.check_can_post(account, status=200)  # D-CI: on purpose with HTTP 200
            return account.creator_info(self._world.clock.now())

        return await answer(self._world, request, "creator_info", ("video.publish",), handle)

    async def init_direct_post(self, request: Request) -> Response:
        """D-DP."""

        def handle(account: Account, content_type: str | None, body: bytes) -> dict[str, Any]:
            fields, megabyte = rules.json_object(content_type, body), self._world.switches.megabyte
            options = account.privacy_level_options
            post_info, source = rules.parse_direct_post(fields, options, megabyte)
            self._check_may_pull(source)
            return self._task(self._world.start_direct_post(account, post_info, source))

        return await answer(self._world, request, "init", ("video.publish",), handle)

    async def init_draft(self, request: Request) -> Response:
        """D-UP."""

        def handle(account: Account, content_type: str | None, body: bytes) -> dict[str, Any]:
            fields = rules.json_object(content_type, body)
            source = rules.parse_draft(fields, self._world.switches.megabyte)
            self._check_may_pull(source)
            return self._task(self._world.start_draft(account, source))

        return await answer(self._world, request, "init", ("video.upload",), handle)

    async def init_photos(self, request: Request) -> Response:
        """D-PH: one path for both modes, each with its own scope."""

        def handle(account: Account, content_type: str | None, body: bytes) -> dict[str, Any]:
            fields = rules.json_object(content_type, body)
            post = parse_photo_post(fields, account.privacy_level_options)
            rules.require_scope(account.scopes, (post.scope,))
            self._check_may_pull(post.pull)
            if post.kind == "draft":
                return self._task(
                    self._world.start_draft(account, post.pull, "photo", post.post_info)
                )
            return self._task(
                self._world.start_direct_post(account, post.post_info, post.pull, "photo")
            )

        return await answer(self._world, request, "init", _EITHER_SCOPE, handle)

    async def fetch_status(self, request: Request) -> Response:
        """D-ST."""

        def handle(account: Account, content_type: str | None, body: bytes) -> dict[str, Any]:
            publish_id = rules.parse_publish_id(rules.json_object(content_type, body))
            return self._world.poll(self._world.find_publication(account, publish_id))

        return await answer(self._world, request, "status", _EITHER_SCOPE, handle)

    async def cancel(self, request: Request) -> Response:
        """D-MTG, "Cancel": answers an error object and no ``data``, also when all went well."""

        def handle(account: Account, content_type: str | None, body: bytes) -> None:
            publish_id = rules.parse_publish_id(rules.json_object(content_type, body))
            self._world.lifecycle.cancel(self._world.find_publication(account, publish_id))

        return await answer(self._world, request, "cancel", _EITHER_SCOPE, handle)

    def _check_may_pull(self, source: UploadPlan | Pull) -> None:
        for url in source.urls if isinstance(source, Pull) else ():
            check_may_pull(url, self._world.app)

    def _task(self, publication: Publication) -> dict[str, Any]:
        if publication.pull is not None:
            return {"publish_id": publication.publish_id}
        upload_url = self._world.upload_url + publication.upload_path
        return {"publish_id": publication.publish_id, "upload_url": upload_url}
