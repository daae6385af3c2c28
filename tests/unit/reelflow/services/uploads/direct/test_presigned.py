"""Forms for direct uploads: what they are signed for, and what they reserve."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reelflow.domain.content_types import MediaType
from reelflow.domain.photos import INTAKE_PHOTOS
from reelflow.domain.upload_session import SessionKind, SessionState
from reelflow.exceptions import QuotaExceededError, TerminalError
from reelflow.ledger.intake_models import UploadSession
from reelflow.services.intake.house_policy import FORM_MAX_BYTES
from reelflow.services.uploads.direct.presigned import open_direct_upload
from reelflow.services.workspace import Workspace
from reelflow.storage.s3_presigning import POST_MAX_BYTES
from tests.chunked_uploads import ANNA
from tests.factories import Clock
from tests.intake_users import limit_user


def sessions(workspace: Workspace) -> list[UploadSession]:
    with workspace.ledger.read() as session:
        return session.query(UploadSession).all()


def test_a_form_may_have_as_many_bytes_as_storage_signs_one_for() -> None:
    assert FORM_MAX_BYTES == POST_MAX_BYTES


def test_a_form_is_written_down_with_what_was_announced(bucket: Workspace, clock: Clock) -> None:
    upload = open_direct_upload(
        bucket, ANNA, file_name="../a\u202e.mov", size_bytes=7, content_type="Video/QuickTime; x=1"
    )
    key = f"direct-uploads/anna/{upload.job_id}.mov"
    assert upload.s3_key == upload.form.fields["key"] == f"prefix/{key}"
    assert upload.form.fields["Content-Type"] == "video/quicktime"
    assert upload.form.fields["for"] == "3600"
    assert upload.expires_at == clock() + timedelta(hours=1)
    assert upload.media_type is MediaType.VIDEO
    (row,) = sessions(bucket)
    assert (row.kind, row.state) == (SessionKind.PRESIGNED, SessionState.OPEN)
    assert (row.user_id, row.file_name, row.size_bytes) == ("anna", "a.mov", 7)
    assert (row.storage_key, row.reserved_uploads, row.reserved_bytes) == (key, 1, 7)


def test_a_folder_has_no_forms(workspace: Workspace) -> None:
    with pytest.raises(TerminalError, match="REELFLOW_STORAGE_URL") as caught:
        open_direct_upload(
            workspace, ANNA, file_name="a.mp4", size_bytes=7, content_type="video/mp4"
        )
    assert caught.value.code == "storage_not_s3"


@pytest.mark.parametrize(
    ("content_type", "limit"),
    [("video/mp4", FORM_MAX_BYTES), ("image/jpeg", INTAKE_PHOTOS.max_size_bytes)],
)
def test_what_its_job_would_refuse_for_its_size_gets_no_form(
    bucket: Workspace, content_type: str, limit: int
) -> None:
    open_direct_upload(bucket, ANNA, file_name="a", size_bytes=limit, content_type=content_type)

    with pytest.raises(TerminalError, match=f"{limit} bytes") as caught:
        open_direct_upload(
            bucket, ANNA, file_name="a", size_bytes=limit + 1, content_type=content_type
        )

    assert caught.value.code == "file_too_large"
    assert len(sessions(bucket)) == 1


def test_a_spent_quota_signs_nothing(bucket: Workspace) -> None:
    limit_user(bucket, bytes_per_day=9)
    with pytest.raises(QuotaExceededError):
        open_direct_upload(bucket, ANNA, file_name="a.mp4", size_bytes=10, content_type="video/mp4")
    assert sessions(bucket) == []
