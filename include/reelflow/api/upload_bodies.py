"""What uploads in chunks are asked for with, and what they are answered with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reelflow.api.media_record import MediaRecord
from reelflow.api.post_record import PostStoryRecord
from reelflow.domain.content_types import MediaType
from reelflow.domain.upload_session import CHUNK_MAX_BYTES, CHUNK_MIN_BYTES, ranges
from reelflow.ledger.intake_models import UploadSession
from reelflow.services.uploads.chunked.announcement import Announcement
from reelflow.services.uploads.chunked.chunks import ReceivedChunk
from reelflow.services.uploads.chunked.finalize import PostWanted
from reelflow.services.uploads.chunked.sessions import UploadStatus

#: Ids of posts are numbers of the database.
PostId = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
#: What every reader of JSON reads exactly; no file has more.
FileSize = Annotated[int, Field(ge=1, le=2**53, strict=True)]
PostFields = Annotated[
    dict[str, Any],
    Field(
        description="the post to make of the file: its account, caption, privacy_level and further "
        "fields, as POST /posts takes them"
    ),
]


UploadState = Literal["open", "finishing", "finished", "expired", "cancelled"]


class WantsPost(BaseModel):
    """Which post a file is for."""

    model_config = ConfigDict(extra="forbid")

    post_id: PostId | None = Field(
        None,
        description="the post that waits for the file; in finalize an explicit null is for no post",
    )
    post: PostFields | None = None

    @model_validator(mode="after")
    def _names_one_post(self) -> WantsPost:
        if self.post_id is not None and self.post is not None:
            raise ValueError("give either post_id or the fields of a new post")
        return self

    def wanted(self) -> PostWanted | None:
        """Return it as services take it; None where it says nothing."""
        is_said = self.post is not None or "post_id" in self.model_fields_set
        return PostWanted(self.post_id, self.post) if is_said else None


class UploadAnnounced(WantsPost):
    """A file that is to be sent in chunks."""

    file_name: str = Field(min_length=1, max_length=1024, description="kept as data, never a path")
    file_size: FileSize = Field(description="in bytes")
    content_type: str = Field(max_length=255)
    media_type: MediaType
    chunk_size: int | None = Field(
        None,
        ge=1,
        strict=True,
        description=f"wished; it becomes one of {CHUNK_MIN_BYTES} to {CHUNK_MAX_BYTES}",
    )
    sha256: str | None = Field(
        None, pattern="^[0-9a-fA-F]{64}$", description="of the whole file, compared with it later"
    )

    def announcement(self) -> Announcement:
        """Return it as services take it."""
        return Announcement(
            file_name=self.file_name,
            size_bytes=self.file_size,
            content_type=self.content_type,
            media_type=self.media_type,
            chunk_size_bytes=self.chunk_size,
            sha256=None if self.sha256 is None else self.sha256.lower(),
            post_id=self.post_id,
            post=self.post,
        )


class UploadOpened(BaseModel):
    """A session: where chunks are sent to, and how the file is cut."""

    upload_id: str
    chunk_size: int = Field(description="of every chunk but the last, which has what is left")
    total_chunks: int
    expires_at: datetime = Field(description="an hour after the last chunk")


class ChunkReceived(BaseModel):
    """A chunk that counts: it is on the disk."""

    upload_id: str
    index: int
    received_chunks: int
    total_chunks: int
    expires_at: datetime


class UploadProgress(BaseModel):
    """Where an upload stands; chunks are counted from 0, and ranges name their first and last."""

    upload_id: str
    state: UploadState
    file_name: str
    file_size: int
    chunk_size: int
    total_chunks: int
    received_chunks: int
    progress: float = Field(ge=0, le=1)
    received: list[list[int]]
    missing: list[list[int]]
    next_chunk: int | None = Field(description="the first that is missing")
    expires_at: datetime
    media_id: str | None
    post_id: int | None


class UploadFinished(BaseModel):
    """What an upload became."""

    media: MediaRecord
    post: PostStoryRecord | None


def opened(row: UploadSession) -> UploadOpened:
    """Return the answer to an announcement."""
    assert row.chunk_size_bytes is not None
    assert row.total_chunks is not None
    return UploadOpened(
        upload_id=row.id,
        chunk_size=row.chunk_size_bytes,
        total_chunks=row.total_chunks,
        expires_at=row.expires_at,
    )


def received(chunk: ReceivedChunk) -> ChunkReceived:
    """Return the answer to a chunk."""
    return ChunkReceived(
        upload_id=chunk.upload_id,
        index=chunk.index,
        received_chunks=chunk.received_chunks,
        total_chunks=chunk.total_chunks,
        expires_at=chunk.expires_at,
    )


def progress(status: UploadStatus) -> UploadProgress:
    """Return the answer to a question for where an upload stands."""
    row, plan = status.session, status.plan
    return UploadProgress(
        upload_id=row.id,
        state=_state(status),
        file_name=row.file_name,
        file_size=plan.size_bytes,
        chunk_size=plan.chunk_size_bytes,
        total_chunks=plan.total_chunks,
        received_chunks=len(status.received),
        progress=plan.bytes_of(status.received) / plan.size_bytes,
        received=ranges(status.received),
        missing=ranges(status.missing),
        next_chunk=next(iter(status.missing), None),
        expires_at=row.expires_at,
        media_id=row.media_id,
        post_id=row.post_id,
    )


def _state(status: UploadStatus) -> UploadState:
    if status.is_expired:
        return "expired"
    # One whose bytes were a post already was dropped, but has what its sender wanted.
    return "finished" if status.session.media_id is not None else status.session.state.value
