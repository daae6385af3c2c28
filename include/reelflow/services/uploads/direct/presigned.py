"""Direct uploads: a form with which a browser puts one announced file straight into the bucket."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reelflow.domain.content_types import (
    CONTENT_TYPES,
    MediaType,
    container_declared,
    extensions_of,
    media_type_of,
)
from reelflow.domain.file_name import clean_file_name
from reelflow.domain.photos import INTAKE_PHOTOS
from reelflow.domain.printable import printable
from reelflow.domain.upload_session import SESSION_LIFETIME, SessionKind, SessionState
from reelflow.domain.user import User
from reelflow.exceptions import TerminalError
from reelflow.ledger.intake_models import UploadSession
from reelflow.services import quotas
from reelflow.services.intake.house_policy import FORM_MAX_BYTES
from reelflow.services.workspace import Workspace
from reelflow.storage.base import PresignedPost, PresigningStore
from reelflow.storage.folders import presigned_key

_SHOWN_CHARS: Final = 60


@dataclass(frozen=True)
class DirectUpload:
    """A form, and what its file becomes a job by.

    :param s3_key: the name that the object will have in the bucket
    :param expires_at: when storage takes the form no longer
    """

    job_id: str
    media_type: MediaType
    s3_key: str
    form: PresignedPost
    expires_at: datetime


def open_direct_upload(
    workspace: Workspace, user: User, *, file_name: str, size_bytes: int, content_type: str
) -> DirectUpload:
    """Sign a form for one file of a user's, and reserve its place in the user's quota.

    :raises TerminalError: the store is no bucket (code ``storage_not_s3``), or the file's type
        (``unsupported_media_type``) or size (``file_too_large``) is not taken
    :raises QuotaExceededError: the user may not upload so much today
    """
    store = bucket_of(workspace)
    container = _checked_container(content_type)
    media_type = media_type_of(container)
    assert media_type is not None
    _check_size(media_type, size_bytes)
    job_id, now = uuid.uuid4().hex, workspace.ledger.now()
    key = presigned_key(user.id, job_id, extensions_of(container)[0])
    row = UploadSession(
        id=job_id,
        kind=SessionKind.PRESIGNED,
        state=SessionState.OPEN,
        state_since=now,
        user_id=user.id,
        file_name=clean_file_name(file_name),
        content_type=CONTENT_TYPES[container],
        media_type=media_type.value,
        size_bytes=size_bytes,
        storage_key=key,
        reserved_uploads=1,
        reserved_bytes=size_bytes,
        created_at=now,
        last_chunk_at=now,
        expires_at=now + SESSION_LIFETIME,
    )
    form = store.presigned_post(
        key,
        size_bytes=size_bytes,
        content_type=row.content_type,
        lifetime_s=int(SESSION_LIFETIME.total_seconds()),
    )
    with workspace.ledger.write() as session:
        row.quota_day = quotas.reserve(session, user.id, uploads=1, size_bytes=size_bytes, now=now)
        session.add(row)
    return DirectUpload(job_id, media_type, store.object_name(key), form, row.expires_at)


def _check_size(media_type: MediaType, size_bytes: int) -> None:
    """Refuse what the job would refuse once it is in the bucket.

    :raises TerminalError: code ``file_too_large``
    """
    is_video = media_type is MediaType.VIDEO
    limit = FORM_MAX_BYTES if is_video else INTAKE_PHOTOS.max_size_bytes
    if size_bytes > limit:
        advice = "upload it in chunks" if is_video else "send a smaller one"
        raise TerminalError(
            f"{media_type} files of a form may have {limit} bytes, and this one has {size_bytes}: "
            f"{advice}",
            code="file_too_large",
            limit=limit,
        )


def bucket_of(workspace: Workspace) -> PresigningStore:
    """Return the store as one that others can write to.

    :raises TerminalError: it is a folder; code ``storage_not_s3``
    """
    store = workspace.folders.store
    if not isinstance(store, PresigningStore):
        raise TerminalError(
            "this Reelflow keeps its files in a folder, to which nobody can upload directly: "
            "upload in chunks, or ask an admin to set REELFLOW_STORAGE_URL to a bucket",
            code="storage_not_s3",
        )
    return store


def _checked_container(content_type: str) -> str:
    container = container_declared(content_type)
    if container is None:
        raise TerminalError(
            f"{printable(content_type, _SHOWN_CHARS)!r} is not taken: send one of "
            f"{', '.join(CONTENT_TYPES.values())}",
            code="unsupported_media_type",
        )
    return container
