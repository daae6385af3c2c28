"""``GET /public/media/...``: the files that TikTok fetches, for whoever has a signed URL.

TikTok takes any answer in the 300s for a failure (content-posting-api-media-transfer-guide, read
2026-09-11), so nothing is redirected and no condition is answered with 304.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from reelflow.api.byte_ranges import wanted_range
from reelflow.api.errors import ApiError
from reelflow.api.held_file import HeldFileResponse
from reelflow.domain.chunks import ByteRange
from reelflow.exceptions import MediaUnreadableError
from reelflow.services.publishing.public_media import EXPIRED, FORGED, GONE, PublicFile, PublicMedia
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

_STATUSES: Final = {FORGED: 403, EXPIRED: 403, GONE: 404}


def public_media_routes(workspace: Workspace) -> APIRouter:
    """Return the route below which every file has its address."""
    public_media = PublicMedia(workspace)
    router = APIRouter()

    # The name at the end is there for its extension only; it is neither signed nor looked at.
    @router.api_route("/{media_id}/{expires}/{signature}/{name}", methods=["GET", "HEAD"])
    def get_media(request: Request, media_id: str, expires: str, signature: str) -> Response:
        with ExitStack() as held:
            try:
                file = held.enter_context(public_media.open(media_id, expires, signature))
            except MediaUnreadableError as error:
                raise _refusal(error) from None
            return _answer(request, media_id, file, held)

    return router


def _answer(request: Request, media_id: str, file: PublicFile, held: ExitStack) -> Response:
    etag = f'"{media_id}"'  # what lies under this id never changes: it was checked
    wanted = None
    if request.method == "GET" and request.headers.get("if-range", etag) == etag:
        wanted = wanted_range(request.headers.get("range", ""), file.size_bytes)
    part = wanted or ByteRange(0, file.size_bytes - 1, file.size_bytes)
    headers = {
        "Content-Type": file.content_type,
        "Content-Length": str(part.length),
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Cache-Control": "private",
    }
    if wanted is not None:
        headers["Content-Range"] = wanted.content_range
    log.info("media %s: %s of bytes %d-%d", media_id, request.method, part.first, part.last)
    return HeldFileResponse(
        file.source,
        None if request.method == "HEAD" else part,
        held=held.pop_all(),
        status_code=200 if wanted is None else 206,
        headers=headers,
    )


def _refusal(error: MediaUnreadableError) -> ApiError:
    if error.code in _STATUSES:
        return ApiError(_STATUSES[error.code], error.code, str(error))
    log.error("public media: %s", error)  # it may name a file
    return ApiError(404, GONE, "this file is not here any more")
