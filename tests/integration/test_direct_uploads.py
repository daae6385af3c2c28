"""Direct uploads as a browser does them: a form, a POST to S3, and the job that comes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import requests

from reelflow.domain.post import DONE, PostState
from reelflow.ledger import quotas as quota_rows
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.ledger import Ledger
from reelflow.ledger.models import Account, Media, Post
from reelflow.services import quotas
from reelflow.services.cleanup import clean_up_files
from reelflow.services.intake.prepare import extract_metadata, generate_thumbnail, validate
from reelflow.services.uploads.sweep.expiry import expire_uploads
from reelflow.services.uploads.sweep.strays import delete_strays
from reelflow.services.workspace import Workspace
from tests import factories, media_files
from tests.contract.storage.stores import S3Server, s3_client
from tests.form_policy import check_form
from tests.integration.intake_server import PREFIX, IntakeServer, headers_of
from tests.integration.publisher import Publisher
from tests.integration.simulator_process import Simulator
from tests.photo_files import image
from tests.s3_bucket import Bucket

TIMEOUT_S: Final = 30
POST: Final = {"account": "aurora", "caption": "From S3", "privacy_level": "SELF_ONLY"}

pytestmark = pytest.mark.parametrize("serving", ["s3"], indirect=True)


@dataclass(frozen=True)
class Browser:
    """A user's browser, with nothing but HTTP."""

    api: str
    key: str

    def ask(self, path: str, body: dict[str, Any], **headers: str) -> requests.Response:
        every = {**headers_of(self.key), **headers}
        return requests.post(f"{self.api}{path}", json=body, headers=every, timeout=TIMEOUT_S)

    def sign(
        self, content: bytes, name: str = "clip.mp4", content_type: str = "video/mp4"
    ) -> dict[str, Any]:
        """Get a form for a file."""
        wanted = {"filename": name, "file_size": len(content), "content_type": content_type}
        answer = self.ask("/upload/presigned-url", wanted)
        assert answer.status_code == 201, answer.text
        form: dict[str, Any] = answer.json()
        return form

    def send(self, form: dict[str, Any], content: bytes) -> None:
        """Send a file by its form, straight to S3."""
        answer = requests.post(
            form["upload_url"],
            data=form["upload_fields"],
            files={"file": content},
            timeout=TIMEOUT_S,
        )
        assert answer.status_code == 204, answer.text

    def create_job(self, form: dict[str, Any], **changed: Any) -> requests.Response:
        job = {name: form[name] for name in ("job_id", "s3_key", "file_type")}
        return self.ask("/upload/create-job", {**job, "post": POST, **changed})


@pytest.fixture
def anna(serving: IntakeServer) -> Browser:
    return Browser(serving.api, serving.anna)


@pytest.fixture
def ben(serving: IntakeServer) -> Browser:
    return Browser(serving.api, serving.ben)


@pytest.fixture(autouse=True)
def account(serving: IntakeServer) -> Account:
    return factories.make_account(serving.workspace, "aurora")


@pytest.fixture(scope="module")
def video() -> bytes:
    return media_files.h264_mp4().read_bytes()


@pytest.fixture
def bucket(serving: IntakeServer, intake_s3: S3Server) -> Iterator[Bucket]:
    assert serving.bucket is not None
    yield Bucket(s3_client(intake_s3.url), serving.bucket, folder="")
    intake_s3.reset()


def rows(workspace: Workspace, table: type[Any]) -> list[Any]:
    with workspace.ledger.read() as session:
        return session.query(table).all()


def quota_left(workspace: Workspace, user_id: str = "anna") -> quotas.QuotaLeft:
    with workspace.ledger.read() as session:
        return quotas.left(session, user_id, workspace.ledger.now())


def limit(workspace: Workspace, **limits: int | None) -> None:
    unlimited: dict[str, int | None] = {"uploads_per_day": None, "bytes_per_day": None}
    with workspace.ledger.write() as session:
        now = workspace.ledger.now()
        quota_rows.store(session, "anna", **{**unlimited, **limits}, now=now, actor="tests")


def later(workspace: Workspace, step: timedelta) -> Workspace:
    """Return the workspace as it is seen by a process whose clock is ahead."""
    ledger = workspace.ledger
    ahead = Ledger(ledger.engine, ledger.cipher, now=lambda: datetime.now(UTC) + step)
    return replace(workspace, ledger=ahead)


class TestForm:
    def test_is_signed_for_its_one_file(self, serving: IntakeServer, anna: Browser) -> None:
        for name, content_type, size_bytes, file_type, extension in (
            ("clip.mp4", "video/mp4", 1, "video", "mp4"),
            ("../../etc/pass\u202ewd", "video/quicktime", 123_456_789, "video", "mov"),
            ("large.webm", "video/webm", 2_000_000_000, "video", "webm"),
            ("photo", "image/jpeg; q=1", 4096, "image", "jpg"),
        ):
            wanted = {"filename": name, "file_size": size_bytes, "content_type": content_type}
            form = anna.ask("/upload/presigned-url", wanted).json()
            assert serving.bucket is not None
            key = f"{PREFIX}/direct-uploads/anna/{form['job_id']}.{extension}"
            assert (form["s3_key"], form["file_type"]) == (key, file_type)
            check_form(
                form["upload_fields"],
                bucket=serving.bucket,
                key=key,
                content_type=content_type.partition(";")[0],
                size_bytes=size_bytes,
            )

    def test_is_refused_for_what_is_not_taken(self, serving: IntakeServer, anna: Browser) -> None:
        for changed, status, reason in (
            ({"file_size": 2_000_000_001}, 413, "file_too_large"),
            ({"file_size": 10**30}, 422, "invalid_request"),
            ({"file_size": 0}, 422, "invalid_request"),
            ({"file_size": "many"}, 422, "invalid_request"),
            ({"filename": ""}, 422, "invalid_request"),
            ({"content_type": "text/html"}, 415, "unsupported_media_type"),
            ({"content_type": "application/octet-stream"}, 415, "unsupported_media_type"),
            ({"key": "media/other.mp4"}, 422, "invalid_request"),
        ):
            wanted = {"filename": "a.mp4", "file_size": 9, "content_type": "video/mp4", **changed}
            answer = anna.ask("/upload/presigned-url", wanted)
            assert (answer.status_code, answer.json()["reason"]) == (status, reason), changed
        assert rows(serving.workspace, UploadSession) == []

    def test_reserves_its_file_of_the_quota(self, serving: IntakeServer, anna: Browser) -> None:
        limit(serving.workspace, bytes_per_day=1000)
        anna.sign(bytes(600))
        wanted = {"filename": "a.mp4", "file_size": 600, "content_type": "video/mp4"}
        refused = anna.ask("/upload/presigned-url", wanted)
        assert (refused.status_code, refused.json()["reason"]) == (429, "quota_exceeded")
        assert 0 < int(refused.headers["Retry-After"]) <= 24 * 3600
        left = quota_left(serving.workspace)
        assert (left.size_bytes, left.reserved_uploads, left.used_uploads) == (400, 1, 0)

    def test_is_not_for_users_who_may_only_read(self, serving: IntakeServer) -> None:
        wanted = {"filename": "a.mp4", "file_size": 9, "content_type": "video/mp4"}
        answer = Browser(serving.api, serving.carl).ask("/upload/presigned-url", wanted)
        assert (answer.status_code, answer.json()["reason"]) == (403, "scope_missing")


class TestJob:
    def test_makes_a_post_of_the_file_that_came(
        self, serving: IntakeServer, anna: Browser, video: bytes, bucket: Bucket
    ) -> None:
        form = anna.sign(video, "Mein Film.mp4")
        anna.send(form, video)
        answer = anna.create_job(form)
        assert answer.status_code == 201, answer.text
        job = answer.json()
        assert job["job_id"] == form["job_id"]
        assert job["media"]["file_name"] == "Mein Film.mp4"
        assert job["media"]["size_bytes"] == len(video)
        (post,) = rows(serving.workspace, Post)
        assert job["post"]["post_id"] == post.id
        assert (post.state, post.caption, post.user_id) == (PostState.READY, "From S3", "anna")
        assert bucket.get(form["s3_key"]) == video
        left = quota_left(serving.workspace)
        assert (left.used_uploads, left.used_bytes) == (1, len(video))
        assert (left.reserved_uploads, left.reserved_bytes) == (0, 0)

    def test_is_made_once_however_often_it_is_asked_for(
        self, serving: IntakeServer, anna: Browser, video: bytes
    ) -> None:
        form = anna.sign(video)
        anna.send(form, video)
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _: anna.create_job(form), range(4)))
        answers.append(anna.create_job(form, post={**POST, "caption": "other words"}))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
        assert len({json.dumps(answer.json(), sort_keys=True) for answer in answers}) == 1
        assert len(rows(serving.workspace, Post)) == len(rows(serving.workspace, Media)) == 1
        assert quota_left(serving.workspace).used_uploads == 1

    def test_waits_for_its_file(self, anna: Browser, video: bytes) -> None:
        form = anna.sign(video)
        answer = anna.create_job(form)
        assert (answer.status_code, answer.json()["reason"]) == (409, "object_missing")
        anna.send(form, video)
        assert anna.create_job(form).status_code == 201

    def test_ends_with_a_file_that_is_not_what_was_announced(
        self, serving: IntakeServer, anna: Browser, bucket: Bucket
    ) -> None:
        for content, rule in ((b"<html>no video at all" + bytes(100), "type"),
                              (image(), "media_type")):  # fmt: skip
            form = anna.sign(content)
            anna.send(form, content)
            first, again = anna.create_job(form), anna.create_job(form)
            assert (first.status_code, first.json()["reason"]) == (422, "not_this_media")
            assert rule in [broken["rule"] for broken in first.json()["details"]["violations"]]
            assert (again.status_code, again.json()) == (422, first.json())
        assert bucket.list() == []
        assert rows(serving.workspace, Post) == rows(serving.workspace, Media) == []
        left = quota_left(serving.workspace)
        assert (left.reserved_uploads, left.reserved_bytes, left.used_uploads) == (0, 0, 0)

    def test_ends_with_a_file_of_another_size(
        self, serving: IntakeServer, anna: Browser, bucket: Bucket, video: bytes
    ) -> None:
        form = anna.sign(video)
        bucket.put(form["s3_key"], video + b"more")
        answer = anna.create_job(form)
        assert (answer.status_code, answer.json()["reason"]) == (422, "not_this_media")
        assert answer.json()["details"]["violations"][0]["rule"] == "file_size"
        assert bucket.list() == []

    def test_stays_possible_after_wrong_requests(self, anna: Browser, video: bytes) -> None:
        form = anna.sign(video)
        anna.send(form, video)
        for changed, status, reason in (
            ({"job_id": "0" * 32}, 404, "job_not_found"),
            ({"job_id": "../x\0"}, 404, "job_not_found"),
            ({"s3_key": f"{PREFIX}/media/other.mp4"}, 422, "job_differs"),
            ({"file_type": "image"}, 422, "job_differs"),
            ({"file_type": "sound"}, 422, "invalid_request"),
            ({"post": {**POST, "account": "nobody"}}, 404, "account_not_found"),
            ({"post": {**POST, "privacy_level": None}}, 422, "invalid_post"),
            ({"post": {**POST, "captoin": "typo"}}, 422, "invalid_post"),
            ({"post": []}, 422, "invalid_request"),
        ):
            refused = anna.create_job(form, **changed)
            assert (refused.status_code, refused.json()["reason"]) == (status, reason), changed
        assert anna.create_job(form).status_code == 201

    def test_of_somebody_else_is_none(
        self, serving: IntakeServer, anna: Browser, ben: Browser, video: bytes
    ) -> None:
        form = anna.sign(video)
        anna.send(form, video)
        unknown = ben.create_job({**form, "job_id": "f" * 32})
        before = ben.create_job(form)
        assert anna.create_job(form).status_code == 201
        after = ben.create_job(form)
        assert before.status_code == after.status_code == 404
        assert before.json() == after.json() == unknown.json()

    def test_survives_a_storage_that_answers_later(
        self, serving: IntakeServer, intake_s3: S3Server, anna: Browser, video: bytes
    ) -> None:
        form = anna.sign(video)
        anna.send(form, video)
        intake_s3.fault("HEAD", form["job_id"], status=503, code="SlowDown", times=2)
        assert anna.create_job(form).status_code == 503
        intake_s3.reset()
        assert anna.create_job(form).status_code == 201


class TestSweep:
    def test_ends_forms_that_were_never_made_a_job(
        self, serving: IntakeServer, anna: Browser, bucket: Bucket, video: bytes
    ) -> None:
        form, unsent = anna.sign(video), anna.sign(video)
        anna.send(form, video)
        soon = later(serving.workspace, timedelta(minutes=119))
        assert expire_uploads(soon, actor="sweep") == []
        assert bucket.list() == [form["s3_key"]]
        swept = expire_uploads(later(serving.workspace, timedelta(minutes=121)), actor="sweep")
        assert sorted(swept) == sorted([form["job_id"], unsent["job_id"]])
        assert bucket.list() == []
        assert rows(serving.workspace, UploadSession) == []
        assert quota_left(serving.workspace).reserved_bytes == 0
        assert anna.create_job(form).json()["reason"] == "job_not_found"

    def test_deletes_what_a_form_brings_after_its_job_has_ended(
        self, serving: IntakeServer, anna: Browser, bucket: Bucket, video: bytes
    ) -> None:
        refused, published, kept = (anna.sign(video) for _ in range(3))
        bucket.put(refused["s3_key"], b"no video")
        assert anna.create_job(refused).status_code == 422
        for form in (published, kept):
            anna.send(form, video)
            wish = {**POST, "repost": True}
            assert anna.create_job(form, post=wish).status_code == 201
        post_id = anna.create_job(published).json()["post"]["post_id"]
        factories.change_post(serving.workspace, post_id, state=PostState.PUBLISHED)
        assert clean_up_files(serving.workspace, post_id)
        assert anna.create_job(published).status_code == 200  # which looks at no file any more
        for form in (refused, published):
            anna.send(form, video)  # the form works for its whole hour
        strangers = f"{PREFIX}/direct-uploads/anna/readme.txt"
        bucket.put(strangers, b"of somebody else")
        assert delete_strays(later(serving.workspace, timedelta(minutes=110))) == []
        assert len(delete_strays(later(serving.workspace, timedelta(minutes=130)))) == 2
        assert bucket.list() == sorted([kept["s3_key"], strangers])


class TestPublishing:
    @pytest.fixture
    def publisher(self, serving: IntakeServer, simulator: Simulator, account: Account) -> Publisher:
        creator = simulator.accounts[0]
        ours = factories.make_account(
            serving.workspace,
            "studio",
            open_id=creator["open_id"],
            access_token=creator["access_token"],
        )
        clock = factories.Clock(datetime.now(UTC))
        return Publisher(serving.workspace, clock, simulator, ours)

    def make_job(self, anna: Browser, content: bytes, **form: str) -> tuple[str, int]:
        signed = anna.sign(content, **form)
        anna.send(signed, content)
        answer = anna.create_job(signed, post={**POST, "account": "studio"})
        assert answer.status_code == 201, answer.text
        return signed["s3_key"], answer.json()["post"]["post_id"]

    def test_takes_the_very_bytes_and_leaves_the_thumbnail(
        self,
        anna: Browser,
        publisher: Publisher,
        simulator: Simulator,
        video: bytes,
        bucket: Bucket,
    ) -> None:
        key, post_id = self.make_job(anna, video)
        workspace = publisher.workspace
        validate(workspace, post_id, run_id="run-1", actor="tests")
        extract_metadata(workspace, post_id, run_id="run-1")
        thumbnail = generate_thumbnail(workspace, post_id, run_id="run-1", actor="tests")
        post = factories.read_post(workspace, post_id)
        uploaded = publisher.upload(post)
        assert simulator.content(uploaded.publish_id) == video
        assert not clean_up_files(workspace, post_id)
        assert bucket.get(key) == video
        assert publisher.settle(post) in DONE
        assert clean_up_files(workspace, post_id)
        assert bucket.list() == [f"{PREFIX}/{thumbnail}"]

    def test_keeps_the_prepared_copy_of_a_photo(
        self, anna: Browser, publisher: Publisher, bucket: Bucket
    ) -> None:
        photo = image("PNG", (1200, 900))
        _, post_id = self.make_job(anna, photo, name="a.png", content_type="image/png")
        workspace = publisher.workspace
        validate(workspace, post_id, run_id="run-1", actor="tests")
        assert len(bucket.list()) == 2
        factories.change_post(workspace, post_id, state=PostState.PUBLISHED)
        assert clean_up_files(workspace, post_id)
        (left,) = bucket.list()
        assert left.startswith(f"{PREFIX}/prepared/")

    def test_that_fails_keeps_the_files(
        self, anna: Browser, publisher: Publisher, video: bytes, bucket: Bucket
    ) -> None:
        key, post_id = self.make_job(anna, video)
        for state in (PostState.FAILED, PostState.UNKNOWN, PostState.HELD):
            factories.change_post(publisher.workspace, post_id, state=state)
            assert not clean_up_files(publisher.workspace, post_id)
        expire_uploads(later(publisher.workspace, timedelta(hours=5)), actor="sweep")
        delete_strays(later(publisher.workspace, timedelta(hours=5)))
        assert bucket.get(key) == video
