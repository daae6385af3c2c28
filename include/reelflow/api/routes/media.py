"""``/media``: the files of a user, their pictures, what is taken in, and the sweep by hand."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from reelflow.api.errors import errors
from reelflow.api.intake import Intake
from reelflow.api.media_record import MediaMetadata, MediaRecord, media_metadata, media_record
from reelflow.api.supported_formats import SupportedFormats, supported_formats
from reelflow.domain.user import User
from reelflow.services.uploads.media import (
    delete_media,
    find_media,
    not_made_yet,
    open_thumbnail,
)
from reelflow.services.uploads.sweep.expiry import sweep_uploads

#: Thumbnails are made once, but another moment may be chosen for them.
_CACHED: Final = "private, no-cache"
_PICTURE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The picture is the one that If-None-Match names"},
    **errors(404),
}


class Cleanup(BaseModel):
    """What a sweep did."""

    expired_uploads: list[str] = Field(description="ids of uploads that were given up")
    deleted_media: list[str] = Field(description="ids of files of which a crash had left something")


def media_routes(intake: Intake) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/media", tags=["media"])
    workspace, guard = intake.workspace, intake.guard

    @router.get("/supported-formats")
    def list_formats(_: User = Depends(guard.reader)) -> SupportedFormats:
        """Tell what is taken in."""
        return supported_formats(workspace.rules.house)

    @router.post("/cleanup/expired")
    def clean_up(user: User = Depends(guard.admin)) -> Cleanup:
        """Give up the uploads whose time is over, and all that they stored."""
        swept = sweep_uploads(workspace, actor=user.actor)
        return Cleanup(expired_uploads=swept.expired_uploads, deleted_media=swept.deleted_media)

    @router.get("/{media_id}", responses=errors(404))
    def show(request: Request, media_id: str, user: User = Depends(guard.reader)) -> MediaRecord:
        """Tell of one file."""
        found = find_media(workspace, user, media_id)
        path = intake.link(request, "/media")
        return media_record(found.media, post_ids=found.post_ids, media_path=path)

    @router.get("/{media_id}/metadata", responses=errors(404))
    def show_metadata(media_id: str, user: User = Depends(guard.reader)) -> MediaMetadata:
        """Tell what was measured of a file."""
        media = find_media(workspace, user, media_id).media
        metadata = media_metadata(media)
        if metadata is None:
            raise not_made_yet(media, "metadata")
        return metadata

    @router.get("/{media_id}/thumbnail", response_class=Response, responses=_PICTURE)
    @router.head("/{media_id}/thumbnail", include_in_schema=False)
    def get_thumbnail(
        request: Request, media_id: str, user: User = Depends(guard.reader)
    ) -> Response:
        """Give the cover picture of a file, a JPEG."""
        with open_thumbnail(workspace, user, media_id) as source:
            etag = f'"{hashlib.sha256(source.identity.encode()).hexdigest()[:32]}"'
            headers = {"ETag": etag, "Cache-Control": _CACHED}
            if _is_named(etag, request.headers.get("if-none-match", "")):
                return Response(status_code=304, headers=headers)
            headers["Content-Length"] = str(source.size_bytes)
            # Shown where a link leads to it: made by us, it is a JPEG and nothing else.
            headers["Content-Disposition"] = f'inline; filename="{media_id}.jpg"'
            is_wanted = request.method == "GET"
            content = source.read_at(0, source.size_bytes) if is_wanted else b""
        return Response(content, headers=headers, media_type="image/jpeg")

    @router.delete("/{media_id}", status_code=204, responses=errors(404, 409))
    def delete(media_id: str, user: User = Depends(guard.writer)) -> None:
        """Delete a file, unless a post still needs it."""
        delete_media(workspace, user, media_id)

    return router


def _is_named(etag: str, header: str) -> bool:
    """Whether ``If-None-Match`` names a tag (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return etag in tags or "*" in tags
