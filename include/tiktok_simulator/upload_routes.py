"""The PUT to an upload URL (D-MTG, "Upload a video")."""

import logging

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tiktok_simulator.answers import faulty
from tiktok_simulator.chunks import ChunkSpan, UploadPlan, check_chunk_headers
from tiktok_simulator.exceptions import UploadError
from tiktok_simulator.faults import Fault, Target
from tiktok_simulator.publication import Publication
from tiktok_simulator.state import World

_log = logging.getLogger(__name__)


class UploadRoutes:
    """Receives chunks for one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the one route, in the shape production uses."""
        return [Route("/upload", self.put_chunk, methods=["PUT"])]

    async def put_chunk(self, request: Request) -> Response:
        """Receive one chunk: 206 while more must follow, 201 after the last."""
        try:
            publication, plan = self._find(request)
        except UploadError as error:
            _log.info("PUT refused: %s", error)
            return Response(status_code=error.status)
        publication.puts_under_way += 1
        try:
            self._check_may_begin(request, publication)
            return await self._receive(request, publication, plan)
        except UploadError as error:
            _log.info("PUT refused: %s", error)
            has_progress = error.status == 416 and self._world.switches.progress_on_416
            headers = self._progress(publication, plan) if has_progress else None
            return Response(status_code=error.status, headers=headers)
        except ClientDisconnect:
            _log.info("PUT cut by the client; nothing of the chunk is stored")
            return Response(status_code=400)
        finally:
            publication.puts_under_way -= 1

    def _find(self, request: Request) -> tuple[Publication, UploadPlan]:
        query = request.query_params
        self._world.authorization_violations += "authorization" in request.headers
        publication = self._world.find_upload(
            query.get("upload_id", ""), query.get("upload_token", "")
        )
        if publication.plan is None:
            raise UploadError(404, "TikTok pulls this one itself")
        return publication, publication.plan

    def _check_may_begin(self, request: Request, publication: Publication) -> None:
        self._world.check_accepts_bytes(publication)
        if "authorization" in request.headers:
            # The credential is in the URL; D-MTG lists three headers and this is none of them.
            publication.authorization_seen += 1
            raise UploadError(400, "an Authorization header must not be sent to an upload URL")

    async def _receive(
        self, request: Request, publication: Publication, plan: UploadPlan
    ) -> Response:
        faults = self._world.faults
        span = self._check_headers(request, publication, plan)
        index = span.first // plan.chunk_size
        chunk = index, plan.is_last(index)
        target = Target("put", publication.open_id, publication.publish_id, chunk)
        encounter = faults.meet(target)
        if fault := await encounter.strike("before"):
            return await self._fail(fault, request, publication, plan)
        await faults.wait("before", chunk)
        # Another PUT may have stored this range while this one was held or slow.
        span = self._check_headers(request, publication, plan)
        await self._store(request, publication, span)
        fault = await encounter.strike("after")
        await faults.wait("after", chunk)
        if fault:
            return await self._fail(fault, request, publication, plan)
        headers = self._progress(publication, plan)
        return Response(status_code=201 if chunk[1] else 206, headers=headers)

    async def _fail(
        self, fault: Fault, request: Request, publication: Publication, plan: UploadPlan
    ) -> Response:
        if fault.kind == "cut":
            await _read(request, fault.after_bytes)
        response = faulty(fault)
        if (fault.status == 416) if fault.progress is None else fault.progress:
            response.headers.update(self._progress(publication, plan))
        return response

    def _check_headers(
        self, request: Request, publication: Publication, plan: UploadPlan
    ) -> ChunkSpan:
        switches = self._world.switches
        return check_chunk_headers(
            request.headers,
            plan,
            publication.received.size_bytes,
            accepts_duplicates=switches.duplicate_chunk == 206,
            long_body_status=switches.long_body,
        )

    async def _store(self, request: Request, publication: Publication, span: ChunkSpan) -> None:
        is_duplicate = span.first < publication.received.size_bytes
        chunk = publication.received.open_chunk()
        try:
            async for piece in request.stream():
                chunk.write(piece)
            if chunk.size_bytes != span.length:
                raise UploadError(
                    400, f"{chunk.size_bytes} bytes came for a range of {span.length}"
                )
            if is_duplicate:
                chunk.discard()
            else:
                self._world.store_chunk(publication, chunk)
        except BaseException:
            chunk.discard()
            raise

    def _progress(self, publication: Publication, plan: UploadPlan) -> dict[str, str]:
        second = publication.received.size_bytes
        if self._world.switches.progress == "last_index":
            if second == 0:  # an empty range has no last index
                return {}
            second -= 1
        return {"Content-Range": f"bytes 0-{second}/{plan.video_size}"}


async def _read(request: Request, size_bytes: int) -> None:
    left = size_bytes
    async for piece in request.stream():
        left -= len(piece)
        if left <= 0:
            return
