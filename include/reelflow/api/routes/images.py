"""``POST /media/upload/images``: up to ten images in one request, all of them or none."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from reelflow.api.errors import errors
from reelflow.api.form_files import FORM_FIELDS, form_body, received_form
from reelflow.api.intake import Intake
from reelflow.api.multipart import FormLimits
from reelflow.api.upload_answer import ImagesTaken, images_answer
from reelflow.domain.content_types import MediaType
from reelflow.domain.user import User
from reelflow.services.uploads.whole.files import BATCH_IMAGE_BYTES, BATCH_IMAGES, take_files

_FILE_FIELD: Final = "images"
_FILES: Final[dict[str, Any]] = {
    "type": "array",
    "items": {"type": "string", "format": "binary"},
    "minItems": 1,
    "maxItems": BATCH_IMAGES,
}
_LIMITS: Final = FormLimits(max_files=BATCH_IMAGES, max_file_bytes=BATCH_IMAGE_BYTES)


def image_routes(intake: Intake) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["media"])

    @router.post(
        "/media/upload/images",
        status_code=201,
        responses={200: {"model": ImagesTaken}, **errors(404, 409, 415, 429, 507)},
        openapi_extra=form_body({_FILE_FIELD: _FILES}, FORM_FIELDS),
    )
    async def upload_images(
        request: Request, response: Response, user: User = Depends(intake.guard.writer)
    ) -> ImagesTaken:
        """Take in up to ten images, in the order of the form; one that is refused refuses all."""
        async with (
            intake.file_bodies.one(user.id),
            received_form(
                request, _LIMITS, file_field=_FILE_FIELD, fields=list(FORM_FIELDS)
            ) as form,
        ):
            taken = await run_in_threadpool(
                take_files,
                intake.workspace,
                user,
                form.files,
                media_type=MediaType.IMAGE,
                wanted=form.post_wanted,
            )
        return await run_in_threadpool(images_answer, intake, request, response, user, taken)

    return router
