"""Jobs of direct uploads: made once, of the file that was looked at, or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.content_types import MediaType
from reelflow.domain.user import User
from reelflow.exceptions import ReelflowError, TerminalError
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.intake.house_policy import FORM_MAX_BYTES, policy_of
from reelflow.services.uploads.direct.create_job import Job, create_job
from reelflow.services.uploads.direct.presigned import DirectUpload, open_direct_upload
from reelflow.services.uploads.sweep.expiry import expire_uploads
from reelflow.services.workspace import Workspace
from tests.chunked_uploads import ANNA, ROOT, WISH, video_like
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES
from tests.presigning_folder import PresigningFolder

pytestmark = [ON_BOTH_DATABASES, pytest.mark.usefixtures("account")]

CONTENT = video_like(5000)


@pytest.fixture
def upload(bucket: Workspace, bucket_store: PresigningFolder) -> DirectUpload:
    """An upload whose file is there."""
    opened = open_direct_upload(
        bucket, ANNA, file_name="a.mp4", size_bytes=len(CONTENT), content_type="video/mp4"
    )
    send(bucket_store, opened, CONTENT)
    return opened


def send(store: PresigningFolder, upload: DirectUpload, content: bytes) -> None:
    store.put(upload.s3_key.removeprefix("prefix/"), content, size_bytes=len(content))


def make(bucket: Workspace, upload: DirectUpload, user: User = ANNA, **changed: Any) -> Job:
    wanted = {
        "job_id": upload.job_id,
        "s3_key": upload.s3_key,
        "media_type": MediaType.VIDEO,
        "wish": WISH,
        **changed,
    }
    return create_job(bucket, user, **wanted)


def rows(workspace: Workspace, *tables: type[Any]) -> list[Any]:
    with workspace.ledger.read() as session:
        return [row for table in tables for row in session.query(table).all()]


def refused(bucket: Workspace, upload: DirectUpload, **changed: Any) -> str:
    with pytest.raises(ReelflowError) as caught:
        make(bucket, upload, **changed)
    return caught.value.code


def test_many_requests_at_once_make_one_post(bucket: Workspace, upload: DirectUpload) -> None:
    with ThreadPoolExecutor(4) as threads:
        jobs = list(threads.map(lambda _: make(bucket, upload), range(4)))
    assert sorted(job.created for job in jobs) == [False, False, False, True]
    assert {(job.media.id, job.post.id) for job in jobs} == {(upload.job_id, jobs[0].post.id)}
    assert len(rows(bucket, Post)) == 1


def test_a_job_is_for_nobody_but_its_user(bucket: Workspace, upload: DirectUpload) -> None:
    assert refused(bucket, upload, user=ROOT) == "job_not_found"
    assert make(bucket, upload).created


def test_an_upload_that_is_swept_meanwhile_makes_nothing(
    bucket: Workspace, bucket_store: PresigningFolder, upload: DirectUpload, clock: Clock
) -> None:
    clock.advance(timedelta(hours=3))
    bucket_store.before_open = lambda: expire_uploads(bucket, actor="sweep")
    assert refused(bucket, upload) in ("object_missing", "job_not_found")
    assert rows(bucket, Post, Media, UploadSession) == []


def test_a_file_that_is_replaced_meanwhile_is_not_taken_for_the_one_looked_at(
    bucket: Workspace, bucket_store: PresigningFolder, upload: DirectUpload
) -> None:
    bucket_store.before_open = lambda: send(bucket_store, upload, b"x" * len(CONTENT))
    assert refused(bucket, upload) == "object_missing"
    send(bucket_store, upload, CONTENT)
    assert make(bucket, upload).created


def test_a_file_that_was_signed_for_is_not_too_large_for_the_house(
    bucket: Workspace, upload: DirectUpload
) -> None:
    house = replace(bucket.rules.house, max_size_bytes=len(CONTENT) - 1)
    strict = replace(bucket, rules=replace(bucket.rules, house=house))
    media = make(strict, upload).media
    assert policy_of(media, house).max_size_bytes == FORM_MAX_BYTES


def test_a_post_that_cannot_be_made_leaves_the_upload_as_it_was(
    bucket: Workspace, upload: DirectUpload
) -> None:
    before = rows(bucket, UploadSession)[0]
    assert refused(bucket, upload, wish={**WISH, "account": "nobody"}) == "account_not_found"
    assert rows(bucket, Post, Media) == []
    after = rows(bucket, UploadSession)[0]
    assert (after.state, after.reserved_bytes) == (before.state, before.reserved_bytes)


def test_a_form_that_came_late_may_still_become_a_job_until_it_is_swept(
    bucket: Workspace, upload: DirectUpload, clock: Clock, account: Account
) -> None:
    clock.advance(timedelta(minutes=119))
    assert expire_uploads(bucket, actor="sweep") == []
    job = make(bucket, upload)
    assert (job.created, job.post.account_id) == (True, account.id)


def test_what_was_swept_is_not_known_any_more(
    bucket: Workspace, bucket_store: PresigningFolder, upload: DirectUpload, clock: Clock
) -> None:
    clock.advance(timedelta(hours=2))
    assert expire_uploads(bucket, actor="sweep") == [upload.job_id]
    assert refused(bucket, upload) == "job_not_found"
    assert list(bucket_store.list("direct-uploads")) == []


def test_a_job_that_was_made_is_there_also_after_the_sweep(
    bucket: Workspace, bucket_store: PresigningFolder, upload: DirectUpload, clock: Clock
) -> None:
    made = make(bucket, upload)
    clock.advance(timedelta(days=2))
    assert expire_uploads(bucket, actor="sweep") == []
    again = make(bucket, upload)
    assert (again.created, again.post.id) == (False, made.post.id)
    assert [info.size_bytes for info in bucket_store.list("direct-uploads")] == [len(CONTENT)]


def test_an_error_says_which_of_key_and_type_is_not_the_jobs(
    bucket: Workspace, upload: DirectUpload
) -> None:
    with pytest.raises(TerminalError, match="s3_key and file_type are not") as caught:
        make(bucket, upload, s3_key="prefix/x", media_type=MediaType.IMAGE)
    assert caught.value.context["fields"] == ["s3_key", "file_type"]
