"""Uploads straight to S3: a form from ``/upload/presigned-url``, then ``/upload/create-job``."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from reelflow.api.errors import errors
from reelflow.api.intake import Intake
from reelflow.api.media_record import MediaRecord, media_record
from reelflow.api.post_record import PostRecord, post_record
from reelflow.api.upload_bodies import FileSize, PostFields
from reelflow.domain.content_types import MediaType
from reelflow.domain.user import User
from reelflow.services import post_pages
from reelflow.services.intake.house_policy import FORM_MAX_BYTES
from reelflow.services.uploads.direct.create_job import Job, create_job
from reelflow.services.uploads.direct.presigned import open_direct_upload


class FileAnnounced(BaseModel):
    """A file that is to be sent to S3."""

    model_config = ConfigDict(extra="forbid")

    filename: str = Field(min_length=1, max_length=1024, description="kept as data, never a path")
    file_size: FileSize = Field(description=f"in bytes, exactly; at most {FORM_MAX_BYTES}")
    content_type: str = Field(max_length=255)


class FormSigned(BaseModel):
    """A form that uploads this one file: post it as multipart/form-data, ``file`` at last."""

    upload_url: str
    upload_fields: dict[str, str] = Field(description="its fields, which come before the file's")
    s3_key: str
    file_type: MediaType
    job_id: str
    expires_at: datetime = Field(description="when S3 takes the form no longer")


class JobWanted(BaseModel):
    """A file that S3 has by now, and the post to make of it."""

    model_config = ConfigDict(extra="forbid")

    job_id: str = Field(max_length=64)
    s3_key: str = Field(max_length=1024)
    file_type: MediaType
    post: PostFields


class JobCreated(BaseModel):
    """The job: the file's record, and its post, which goes when it is due."""

    job_id: str
    media: MediaRecord
    post: PostRecord


def direct_upload_routes(intake: Intake) -> APIRouter:
    """Return the routes; a job is for whoever got its form."""
    router = APIRouter(prefix="/upload", tags=["direct uploads"])
    workspace = intake.workspace

    @router.post("/presigned-url", status_code=201, responses=errors(409, 413, 415, 429))
    def sign_form(body: FileAnnounced, user: User = Depends(intake.guard.writer)) -> FormSigned:
        """Sign a form with which one file goes straight to S3, within an hour."""
        upload = open_direct_upload(
            workspace,
            user,
            file_name=body.filename,
            size_bytes=body.file_size,
            content_type=body.content_type,
        )
        return FormSigned(
            upload_url=upload.form.url,
            upload_fields=dict(upload.form.fields),
            s3_key=upload.s3_key,
            file_type=upload.media_type,
            job_id=upload.job_id,
            expires_at=upload.expires_at,
        )

    @router.post(
        "/create-job",
        status_code=201,
        responses={200: {"model": JobCreated}, **errors(404, 409)},
    )
    def make_job(
        request: Request,
        response: Response,
        body: JobWanted,
        user: User = Depends(intake.guard.writer),
    ) -> JobCreated:
        """Look at the file that was sent, and make its post; asked again, answer the same."""
        job = create_job(
            workspace,
            user,
            job_id=body.job_id,
            s3_key=body.s3_key,
            media_type=body.file_type,
            wish=body.post,
        )
        if not job.created:
            response.status_code = 200
        return _answer(intake, request, user, job)

    return router


def _answer(intake: Intake, request: Request, user: User, job: Job) -> JobCreated:
    record = media_record(
        job.media, post_ids=[job.post.id], media_path=intake.link(request, "/media")
    )
    post = post_record(intake, request, post_pages.show(intake.workspace, user, job.post.id))
    return JobCreated(job_id=job.job_id, media=record, post=PostRecord(**post))
