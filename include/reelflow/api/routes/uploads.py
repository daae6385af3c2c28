"""Uploads in chunks: ``/media/upload/init``, its chunks, their status, and their end."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from reelflow.api.chunk_body import declared_length, held_in_threads
from reelflow.api.chunk_form import CHUNK_FORM, receive_form
from reelflow.api.digest_header import declared_sha256
from reelflow.api.errors import errors
from reelflow.api.intake import Intake
from reelflow.api.media_record import media_record
from reelflow.api.post_record import PostStoryRecord, post_answer
from reelflow.api.raw_body import write_raw_body
from reelflow.api.upload_bodies import (
    ChunkReceived,
    UploadAnnounced,
    UploadFinished,
    UploadOpened,
    UploadProgress,
    WantsPost,
    opened,
    progress,
    received,
)
from reelflow.domain.upload_session import CHUNK_MAX_BYTES
from reelflow.domain.user import User
from reelflow.services.uploads.chunked.chunks import receive_chunk
from reelflow.services.uploads.chunked.finalize import finalize
from reelflow.services.uploads.chunked.opening import open_session
from reelflow.services.uploads.chunked.sessions import cancel, status_of

_RAW_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    "parameters": [
        {
            "name": "Content-Digest",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": "sha-256=:BASE64: of the chunk (RFC 9530); one that differs is refused",
        }
    ],
}


def upload_routes(intake: Intake) -> APIRouter:
    """Return the routes; a user sees the own uploads, an admin all."""
    router = APIRouter(prefix="/media/upload", tags=["uploads"])
    workspace = intake.workspace

    @router.post("/init", status_code=201, responses=errors(404, 409, 413, 415, 429, 507))
    def init(body: UploadAnnounced, user: User = Depends(intake.guard.writer)) -> UploadOpened:
        """Begin an upload; room for the whole file is taken now."""
        return opened(open_session(workspace, user, body.announcement()))

    @router.put(
        "/{upload_id}/chunks/{index}",
        responses=errors(404, 409, 411, 415, 507),
        openapi_extra=_RAW_BODY,
    )
    async def put_chunk(
        request: Request, upload_id: str, index: int, user: User = Depends(intake.guard.writer)
    ) -> ChunkReceived:
        """Send one chunk as the body, in any order; the same once more is harmless."""
        size_bytes = declared_length(request, max_bytes=CHUNK_MAX_BYTES)
        chunk = receive_chunk(
            workspace,
            user,
            upload_id,
            index,
            size_bytes=size_bytes,
            sha256=declared_sha256(request),
        )
        async with intake.file_bodies.one(user.id), held_in_threads(chunk) as incoming:
            await write_raw_body(request, incoming.write, size_bytes=size_bytes)
            return received(await run_in_threadpool(incoming.commit))

    @router.post("/chunk", responses=errors(404, 409, 415, 507), openapi_extra=CHUNK_FORM)
    async def post_chunk(
        request: Request, user: User = Depends(intake.guard.writer)
    ) -> ChunkReceived:
        """Send one chunk as the file of a form; its other fields come before it."""
        async with intake.file_bodies.one(user.id):
            return received(await receive_form(workspace, user, request))

    @router.get("/{upload_id}/status", responses=errors(404))
    def status(upload_id: str, user: User = Depends(intake.guard.reader)) -> UploadProgress:
        """Tell which chunks are there, and which is next."""
        return progress(status_of(workspace, user, upload_id))

    @router.post(
        "/{upload_id}/finalize",
        status_code=201,
        responses={200: {"model": UploadFinished}, **errors(404, 409, 429, 507)},
    )
    def finish(
        request: Request,
        response: Response,
        upload_id: str,
        body: WantsPost | None = None,
        user: User = Depends(intake.guard.writer),
    ) -> UploadFinished:
        """Make one file of the chunks, and give it to a post; asked again, answer the same."""
        wanted = None if body is None else body.wanted()
        done = finalize(workspace, user, upload_id, wanted)
        if not done.is_new:
            response.status_code = 200
        post_ids = [] if done.post is None else [done.post.id]
        media_path = intake.link(request, "/media")
        media = media_record(done.media, post_ids=post_ids, media_path=media_path)
        posts = [post_answer(intake, request, user, post_id) for post_id in post_ids]
        return UploadFinished(
            media=media, post=PostStoryRecord.model_validate(posts[0]) if posts else None
        )

    @router.delete("/{upload_id}", status_code=204, responses=errors(404, 409))
    def give_up(upload_id: str, user: User = Depends(intake.guard.writer)) -> None:
        """Give an upload up, with all its chunks."""
        cancel(workspace, user, upload_id)

    return router
