"""``GET /approvals/pictures/...``: what a question whether a post may go shows of it.

The address is signed, and comes with the question: who may read that may see its pictures, whosever
file it is.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from reelflow.api.errors import ApiError
from reelflow.api.intake import Intake
from reelflow.domain.user import User
from reelflow.exceptions import MediaUnreadableError
from reelflow.services.approval.pictures import (
    EXPIRED,
    FORGED,
    GONE,
    PICTURES_PATH,
    QuestionPictures,
)

_STATUSES: Final = {FORGED: 403, EXPIRED: 403, GONE: 404}


def approval_routes(intake: Intake) -> APIRouter:
    """Return the route; it is not in the schema, because nobody makes its addresses but we."""
    pictures = QuestionPictures(intake.workspace)
    router = APIRouter(prefix=PICTURES_PATH, include_in_schema=False)

    @router.get("/{media_id}/{number}/{expires}/{signature}.jpg")
    def get_picture(
        media_id: str,
        number: str,
        expires: str,
        signature: str,
        _: User = Depends(intake.guard.reader),
    ) -> Response:
        """Give a picture, a small JPEG."""
        try:
            content = pictures.read(media_id, number, expires, signature)
        except MediaUnreadableError as error:
            status = _STATUSES.get(error.code, 404)
            code = error.code if error.code in _STATUSES else GONE
            told = str(error) if error.code in _STATUSES else "this picture is not here any more"
            raise ApiError(status, code, told) from None
        # The cover's address stays when another one is chosen.
        headers = {"Cache-Control": "private, no-cache"}
        return Response(content, headers=headers, media_type="image/jpeg")

    return router
