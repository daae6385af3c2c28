"""HTTP on one side, the world on the other: the four JSON calls and the PUT."""

import logging
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tiktok_simulator import rules
from tiktok_simulator.accounts import Account
from tiktok_simulator.answers import answer, faulty
from tiktok_simulator.chunks import ChunkSpan, check_chunk_headers
from tiktok_simulator.exceptions import UploadError
from tiktok_simulator.publication import Publication
from tiktok_simulator.state import World

_log = logging.getLogger(__name__)


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
            self._world.check_post_cap(account, status=200)  # D-CI: on purpose with HTTP 200
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


class UploadRoutes:
    """The PUT to an upload URL (D-MTG, "Upload a video")."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the one route, in the shape production uses."""
        return [Route("/upload", self.put_chunk, methods=["PUT"])]

    async def put_chunk(self, request: Request) -> Response:
        """Receive one chunk: 206 while more must follow, 201 after the last."""
        try:
            publication = self._find(request)
            return await self._receive(request, publication)
        except UploadError as error:
            _log.info("PUT refused: %s", error)
            headers = _progress(publication) if error.status == 416 else None
            return Response(status_code=error.status, headers=headers)
        except ClientDisconnect:
            _log.info("PUT cut by the client; nothing of the chunk is stored")
            return Response(status_code=400)

    def _find(self, request: Request) -> Publication:
        query = request.query_params
        has_authorization = "authorization" in request.headers
        self._world.authorization_violations += has_authorization
        publication = self._world.find_upload(
            query.get("upload_id", ""), query.get("upload_token", "")
        )
        if has_authorization:
            # The credential is in the URL; D-MTG lists three headers and this is none of them.
            publication.authorization_seen += 1
            raise UploadError(400, "an Authorization header must not be sent to an upload URL")
        return publication

    async def _receive(self, request: Request, publication: Publication) -> Response:
        received, plan, faults = publication.received, publication.plan, self._world.faults
        span = check_chunk_headers(request.headers, plan, received.size_bytes)
        index = len(received.chunk_sizes)
        chunk = index, plan.is_last(index)
        if fault := faults.take("put", "before", chunk):
            return faulty(fault)
        await faults.wait("before", chunk)
        # Another PUT may have stored this range while this one was held.
        span = check_chunk_headers(request.headers, plan, received.size_bytes)
        await self._store(request, publication, span)
        fault = faults.take("put", "after", chunk)
        await faults.wait("after", chunk)
        if fault:
            return faulty(fault)
        return Response(status_code=201 if chunk[1] else 206, headers=_progress(publication))

    async def _store(self, request: Request, publication: Publication, span: ChunkSpan) -> None:
        chunk = publication.received.open_chunk()
        try:
            async for piece in request.stream():
                chunk.write(piece)
            if chunk.size_bytes != span.length:
                raise UploadError(
                    400, f"{chunk.size_bytes} bytes came for a range of {span.length}"
                )
            self._world.store_chunk(publication, chunk)
        except BaseException:
            chunk.discard()
            raise


def _progress(publication: Publication) -> dict[str, str]:
    # D-MTG calls the second number the bytes uploaded: a count, not HTTP's last index.
    count, total = publication.received.size_bytes, publication.plan.video_size
    return {"Content-Range": f"bytes 0-{count}/{total}"}
