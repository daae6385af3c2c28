"""What uploads of whole files are answered with."""

from __future__ import annotations

from fastapi import Request, Response
from pydantic import BaseModel, Field

from reelflow.api.intake import Intake
from reelflow.api.media_record import MediaRecord, media_record
from reelflow.api.post_record import PostStoryRecord, post_answer
from reelflow.api.upload_bodies import UploadFinished
from reelflow.domain.user import User
from reelflow.services.uploads.whole.rows import Taken


class ImagesTaken(BaseModel):
    """What a batch of images became."""

    media: list[MediaRecord] = Field(description="in the order in which they came")
    post: PostStoryRecord | None


def file_answer(
    intake: Intake, request: Request, response: Response, user: User, taken: Taken
) -> UploadFinished:
    """Return the answer to one file; 200 if its post was made of the same bytes before."""
    (record,) = _records(intake, request, response, taken)
    return UploadFinished(media=record, post=_post(intake, request, user, taken))


def images_answer(
    intake: Intake, request: Request, response: Response, user: User, taken: Taken
) -> ImagesTaken:
    """Return the answer to a batch; 200 if its post was made of the same bytes before."""
    records = _records(intake, request, response, taken)
    return ImagesTaken(media=records, post=_post(intake, request, user, taken))


def _post(intake: Intake, request: Request, user: User, taken: Taken) -> PostStoryRecord | None:
    if taken.post is None:
        return None
    return PostStoryRecord.model_validate(post_answer(intake, request, user, taken.post.id))


def _records(
    intake: Intake, request: Request, response: Response, taken: Taken
) -> list[MediaRecord]:
    if not taken.is_new:
        response.status_code = 200
    post_ids = [] if taken.post is None else [taken.post.id]
    path = intake.link(request, "/media")
    return [media_record(media, post_ids=post_ids, media_path=path) for media in taken.media]
