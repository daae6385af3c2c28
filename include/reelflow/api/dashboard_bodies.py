"""What the dashboard is answered with."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from fastapi import Request
from pydantic import BaseModel, Field

from reelflow.api.intake import Intake
from reelflow.domain.media import VIDEO_EXTENSIONS
from reelflow.domain.media_policy import TIKTOK
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Verdict
from reelflow.services.uploads.dashboard.sessions import SessionStatus
from reelflow.services.uploads.dashboard.statistics import Statistics
from reelflow.services.uploads.dashboard.video import Video
from reelflow.services.workspace import Workspace


class SessionOpened(BaseModel):
    """A session for one video."""

    session_id: str
    upload_url: str
    status_url: str
    expires_at: datetime
    max_file_size: int = Field(description="in bytes")
    formats: list[str] = Field(description="extensions of the videos that are taken")


class SessionTold(BaseModel):
    """Whether a session can be used; ``invalid``: it was used, given up, or never was."""

    session_id: str
    status: SessionStatus
    expires_at: datetime | None
    video_id: str | None = Field(description="of the video that came by it")


class DetectionResult(BaseModel):
    """What content analysis says."""

    is_fake: bool | None = Field(description="null: the engine cannot say, or refused to judge")
    confidence_score: float | None = Field(description="of is_fake, 0 to 1; null: it gives none")
    processing_time: float | None = Field(description="seconds that it computed")
    metadata: dict[str, Any] = Field(description="engine, model_type, and what else it says")


class VideoRecord(BaseModel):
    """A video that was uploaded, and what is known of it."""

    video_id: str
    analysis_id: str
    upload_status: Literal["analyzed", "processing"]
    redirect_url: str = Field(description="where the results are")
    estimated_processing_time: float | None = Field(
        description="seconds until the results; null where the engine does not say"
    )
    filename: str
    file_size: int
    file_hash: str = Field(description="SHA-256")
    format: str
    s3_key: str = Field(description="what it is called where it is stored")
    s3_url: str | None = Field(
        description="signed, for an hour; null where files lie in a folder, or it was deleted"
    )
    created_at: datetime
    uploaded_at: datetime
    detection_result: DetectionResult | None


class VerdictCounts(BaseModel):
    """How many videos are said to be what."""

    fake: int
    real: int
    unclear: int = Field(description="the engine cannot say")
    refused: int = Field(description="the engine will never judge them")
    processing: int


class QuotaTold(BaseModel):
    """What is left of today; null: no limit."""

    uploads_left: int | None
    bytes_left: int | None
    uploads_used: int
    bytes_used: int
    reset_at: datetime


class StatisticsTold(BaseModel):
    """What a user uploaded, by whichever way."""

    total_uploads: int
    total_bytes: int
    verdicts: VerdictCounts
    quota: QuotaTold


def session_opened(intake: Intake, request: Request, row: UploadSession) -> SessionOpened:
    """Return the answer to a session that was opened."""
    path = f"/dashboard/upload/{row.id}"
    house = intake.workspace.rules.house.narrowed_by(TIKTOK)
    return SessionOpened(
        session_id=row.id,
        upload_url=intake.link(request, path),
        status_url=intake.link(request, f"{path}/status"),
        expires_at=row.expires_at,
        max_file_size=max_file_bytes(intake.workspace),
        formats=[VIDEO_EXTENSIONS[container] for container in house.containers],
    )


def max_file_bytes(workspace: Workspace) -> int:
    """Return the size of the largest video that is taken in."""
    return workspace.rules.house.narrowed_by(TIKTOK).max_size_bytes


def video_record(intake: Intake, request: Request, video: Video) -> VideoRecord:
    """Return a video's record."""
    media, detection = video.media, video.detection
    is_ready = detection.verdict is not None
    assert media.sha256 is not None
    assert media.moved_at is not None
    return VideoRecord(
        video_id=media.id,
        analysis_id=detection.id,
        upload_status="analyzed" if is_ready else "processing",
        redirect_url=intake.link(request, f"/dashboard/videos/{media.id}/results"),
        estimated_processing_time=0 if is_ready else detection.remaining_s,
        filename=media.file_name,
        file_size=media.size_bytes,
        file_hash=media.sha256,
        format=video.container,
        s3_key=video.object_name,
        s3_url=video.url,
        created_at=video.opened_at,
        uploaded_at=media.moved_at,
        detection_result=None if detection.verdict is None else _result(detection.verdict),
    )


def _result(verdict: Verdict) -> DetectionResult:
    told = {"engine": verdict.engine, "model_type": verdict.model_type}
    if verdict.refused_because is not None:
        told["refused_because"] = verdict.refused_because
    return DetectionResult(
        is_fake=verdict.is_fake,
        confidence_score=verdict.confidence,
        processing_time=verdict.seconds,
        metadata={**(verdict.details or {}), **told},
    )


def statistics_told(statistics: Statistics) -> StatisticsTold:
    """Return a user's statistics."""
    quota = statistics.quota
    return StatisticsTold(
        total_uploads=statistics.uploads,
        total_bytes=statistics.size_bytes,
        verdicts=VerdictCounts(**statistics.verdicts),
        quota=QuotaTold(
            uploads_left=quota.uploads,
            bytes_left=quota.size_bytes,
            uploads_used=quota.used_uploads,
            bytes_used=quota.used_bytes,
            reset_at=quota.reset_at,
        ),
    )
