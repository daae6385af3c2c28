"""The routes of direct uploads, on a folder that signs forms."""

from __future__ import annotations

import pytest

from reelflow.api.app import assemble_app
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from tests.chunked_uploads import WISH, video_like
from tests.known_users import ANNA, CARL, KnownUsers
from tests.presigning_folder import PresigningFolder, with_presigning_folder
from tests.unit.reelflow.api.conftest import Web

CONTENT = video_like(100)
FILE = {"filename": "a.mp4", "file_size": len(CONTENT), "content_type": "video/mp4"}


@pytest.fixture
def bucket(workspace: Workspace) -> tuple[Web, PresigningFolder]:
    changed, store = with_presigning_folder(workspace)
    return Web(assemble_app(changed, None, KnownUsers())), store


def test_a_job_is_answered_with_its_file_and_its_post(
    bucket: tuple[Web, PresigningFolder], account: Account
) -> None:
    web, store = bucket
    form = web.post("/upload/presigned-url", json=FILE, headers=ANNA).json()
    assert set(form) == {
        "upload_url", "upload_fields", "s3_key", "file_type", "job_id", "expires_at",
    }  # fmt: skip
    store.put(form["s3_key"].removeprefix("prefix/"), CONTENT, size_bytes=len(CONTENT))
    job = {name: form[name] for name in ("job_id", "s3_key", "file_type")} | {"post": WISH}
    first = web.post("/upload/create-job", json=job, headers=ANNA)
    again = web.post("/upload/create-job", json=job, headers=ANNA)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    told = first.json()
    assert set(told) == {"job_id", "media", "post"}
    assert (told["post"]["account"], told["post"]["state"]) == (account.name, "READY")
    assert told["post"]["media_ids"] == [told["media"]["media_id"]] == [form["job_id"]]
    record = web.get(f"/media/{form['job_id']}", headers=ANNA)
    assert record.json() == told["media"]
    assert web.get(f"/posts/{told['post']['post_id']}", headers=ANNA).status_code == 200


def test_a_server_without_a_bucket_says_so(web: Web) -> None:
    answer = web.post("/upload/presigned-url", json=FILE, headers=ANNA)
    assert (answer.status_code, answer.json()["reason"]) == (409, "storage_not_s3")


def test_a_reader_gets_no_form(web: Web) -> None:
    answer = web.post("/upload/presigned-url", json=FILE, headers=CARL)
    assert (answer.status_code, answer.json()["reason"]) == (403, "scope_missing")


@pytest.mark.parametrize(
    ("size_bytes", "status", "reason"),
    [(2**53, 413, "file_too_large"), (10**4000, 422, "invalid_request")],
    ids=["too large", "thousands of digits"],
)
def test_a_size_that_no_form_takes_is_not_told_at_length(
    bucket: tuple[Web, PresigningFolder], size_bytes: int, status: int, reason: str
) -> None:
    web, _ = bucket
    announced = {**FILE, "file_size": size_bytes}
    answer = web.post("/upload/presigned-url", json=announced, headers=ANNA)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert len(answer.content) < 1000
