"""``POST /media/upload/simple``: one file in one request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from reelflow.api.errors import ApiError, errors
from reelflow.api.form_files import FORM_FIELDS, form_body, received_form
from reelflow.api.intake import Intake
from reelflow.api.multipart import FormLimits
from reelflow.api.upload_answer import file_answer
from reelflow.api.upload_bodies import UploadFinished
from reelflow.domain.content_types import MediaType
from reelflow.domain.user import User
from reelflow.services.uploads.whole.files import WHOLE_FILE_BYTES, take_files

_FILE_FIELD: Final = "file"
_FIELDS: Final[dict[str, Any]] = {
    "media_type": {"type": "string", "enum": [str(kind) for kind in MediaType]},
    **FORM_FIELDS,
}
_LIMITS: Final = FormLimits(max_files=1, max_file_bytes=WHOLE_FILE_BYTES - 1)


@asynccontextmanager
async def _pointing_to_chunks() -> AsyncIterator[None]:
    """Tell whoever sends too much at once how it is taken."""
    try:
        yield
    except ApiError as error:
        if error.status != 413:
            raise
        message = f"{error.message}: send the file in chunks, which POST /media/upload/init begins"
        raise ApiError(413, error.reason, message, headers=error.headers) from None


def simple_routes(intake: Intake) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["media"])

    @router.post(
        "/media/upload/simple",
        status_code=201,
        responses={200: {"model": UploadFinished}, **errors(404, 409, 415, 429, 507)},
        openapi_extra=form_body({_FILE_FIELD: {"type": "string", "format": "binary"}}, _FIELDS),
    )
    async def upload_simple(
        request: Request, response: Response, user: User = Depends(intake.guard.writer)
    ) -> UploadFinished:
        """Take in one file of less than 50 MB, whole; larger ones come in chunks."""
        async with (
            _pointing_to_chunks(),
            intake.file_bodies.one(user.id),
            received_form(request, _LIMITS, file_field=_FILE_FIELD, fields=list(_FIELDS)) as form,
        ):
            taken = await run_in_threadpool(
                take_files,
                intake.workspace,
                user,
                form.files,
                media_type=form.media_type,
                wanted=form.post_wanted,
            )
        return await run_in_threadpool(file_answer, intake, request, response, user, taken)

    return router
