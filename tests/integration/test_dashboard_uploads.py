"""The dashboard's uploads over HTTP: one video a session, analysed as it comes, or nothing left."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import requests
from sqlalchemy import update

from reelflow.domain.user import Scope
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Media, Verdict
from reelflow.services import quotas
from reelflow.services.api_keys import create_key
from reelflow.services.workspace import Workspace
from tests import content_credentials, media_files
from tests.contract.storage.stores import S3Server
from tests.detection_server import DetectionServer
from tests.intake_users import limit_user
from tests.integration.intake_server import (
    ON_BOTH_STORES,
    IntakeServer,
    headers_of,
    local_settings,
    serving_intake,
)
from tests.integration.simulator_process import wait_until
from tests.photo_files import image

TIMEOUT_S: Final = 60
ENVELOPE: Final = {
    "error_code", "error_message", "details", "cleanup_performed", "cleanup_details", "timestamp",
}  # fmt: skip
VIDEO: Final = {
    "video_id", "analysis_id", "upload_status", "redirect_url", "estimated_processing_time",
    "filename", "file_size", "file_hash", "format", "s3_key", "s3_url", "created_at",
    "uploaded_at", "detection_result",
}  # fmt: skip
NOTHING_UNDONE: Final = {"session_closed": False, "row_deleted": False, "object_deleted": None}


@dataclass(frozen=True)
class Dashboard:
    """A user's dashboard, with nothing but HTTP."""

    api: str
    key: str

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(
            method, f"{self.api}{path}", headers=headers_of(self.key), timeout=TIMEOUT_S, **options
        )

    def open(self) -> str:
        answer = self.call("POST", "/dashboard/upload")
        assert answer.status_code == 201, answer.text
        session_id: str = answer.json()["session_id"]
        return session_id

    def send(
        self,
        session_id: str,
        content: bytes,
        name: str = "clip.mp4",
        content_type: str = "video/mp4",
    ) -> requests.Response:
        files = {"file": (name, content, content_type)}
        return self.call("POST", f"/dashboard/upload/{session_id}", files=files)

    def status(self, session_id: str) -> str:
        answer = self.call("GET", f"/dashboard/upload/{session_id}/status")
        assert answer.status_code == 200
        status: str = answer.json()["status"]
        return status


@pytest.fixture
def anna(serving: IntakeServer) -> Dashboard:
    return Dashboard(serving.api, serving.anna)


@pytest.fixture
def ben(serving: IntakeServer) -> Dashboard:
    return Dashboard(serving.api, serving.ben)


@pytest.fixture(scope="module")
def generated() -> bytes:
    """A video that declares that it is generated."""
    return content_credentials.sign(media_files.h264_mp4().read_bytes(), "video/mp4")


@pytest.fixture(scope="module")
def video() -> bytes:
    return media_files.h264_mp4().read_bytes()


def envelope(answer: requests.Response, status: int, code: str) -> dict[str, Any]:
    """Return an error, which must be in the envelope."""
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told.get("error_code")) == (status, code), answer.text
    assert set(told) == ENVELOPE
    assert told["error_message"]
    assert datetime.fromisoformat(told["timestamp"]).tzinfo is not None
    return told


def rows(workspace: Workspace, *tables: type[Any]) -> list[Any]:
    with workspace.ledger.read() as session:
        return [row for table in tables for row in session.query(table).all()]


def objects(workspace: Workspace) -> list[str]:
    return [info.key for info in workspace.folders.store.list("dashboard-uploads")]


def assert_nothing_is_left(workspace: Workspace, dashboard: Dashboard, session_id: str) -> None:
    assert objects(workspace) == []
    assert rows(workspace, UploadSession, Media, Verdict) == []
    left = quota_left(workspace)
    assert (left.reserved_uploads, left.reserved_bytes, left.used_uploads) == (0, 0, 0)
    assert dashboard.status(session_id) == "invalid"


def quota_left(workspace: Workspace) -> quotas.QuotaLeft:
    with workspace.ledger.read() as session:
        return quotas.left(session, "anna", workspace.ledger.now())


@ON_BOTH_STORES
def test_a_video_is_stored_recorded_and_judged(
    serving: IntakeServer, anna: Dashboard, generated: bytes
) -> None:
    limit_user(serving.workspace, uploads_per_day=5)
    session_id = anna.open()
    assert anna.status(session_id) == "active"
    answer = anna.send(session_id, generated, "../Mein Film.mp4")
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert set(told) == VIDEO
    digest = sha256(generated).hexdigest()
    assert (told["filename"], told["file_size"], told["file_hash"], told["format"]) == (
        "Mein Film.mp4", len(generated), digest, "mp4",
    )  # fmt: skip
    assert (told["upload_status"], told["estimated_processing_time"]) == ("analyzed", 0)
    detection = told["detection_result"]
    assert set(detection) == {"is_fake", "confidence_score", "processing_time", "metadata"}
    assert (detection["is_fake"], detection["confidence_score"]) == (True, None)
    assert "C2PA" in detection["metadata"]["summary"]

    key = f"dashboard-uploads/anna/{told['video_id']}.mp4"
    assert objects(serving.workspace) == [key]
    if serving.bucket is None:
        assert (told["s3_key"], told["s3_url"]) == (key, None)
    else:
        assert told["s3_key"].endswith(f"/{key}")
        assert requests.get(told["s3_url"], timeout=TIMEOUT_S).content == generated

    address = urlsplit(serving.api)
    results = requests.get(
        f"{address.scheme}://{address.netloc}{told['redirect_url']}",
        headers=headers_of(serving.anna),
        timeout=TIMEOUT_S,
    )
    assert results.status_code == 200
    changing = {"s3_url"}
    assert {k: v for k, v in results.json().items() if k not in changing} == {
        k: v for k, v in told.items() if k not in changing
    }
    assert anna.status(session_id) == "invalid"
    statistics = anna.call("GET", "/dashboard/statistics").json()
    assert (statistics["total_uploads"], statistics["total_bytes"]) == (1, len(generated))
    assert statistics["verdicts"] == {
        "fake": 1, "real": 0, "unclear": 0, "refused": 0, "processing": 0,
    }  # fmt: skip
    assert statistics["quota"]["uploads_left"] == 4
    assert quota_left(serving.workspace).used_bytes == len(generated)


@ON_BOTH_STORES
def test_of_a_file_that_is_not_taken_nothing_is_left(
    serving: IntakeServer, anna: Dashboard, video: bytes
) -> None:
    for content, name, content_type, code in (
        (b"<html>", "clip.mp4", "video/mp4", "not_this_media"),
        (b"", "clip.mp4", "video/mp4", "not_this_media"),
        (image(), "clip.mp4", "video/mp4", "not_this_media"),
        (video, "clip.mp4", "image/png", "not_this_media"),
        (video[:2000], "clip.mp4", "video/mp4", "not_this_media"),
        (media_files.short_mp4().read_bytes(), "clip.mp4", "video/mp4", "not_this_media"),
    ):
        session_id = anna.open()
        told = envelope(anna.send(session_id, content, name, content_type), 400, code)
        assert told["details"]["violations"]
        assert told["cleanup_performed"] is True
        assert told["cleanup_details"]["session_closed"] is True
        assert_nothing_is_left(serving.workspace, anna, session_id)


def test_of_a_form_that_is_none_nothing_is_left(serving: IntakeServer, anna: Dashboard) -> None:
    for options in (
        {"json": {"file": "a.mp4"}},
        {"data": b"no form", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
        {"files": {"other": ("a.mp4", b"x")}},
        {"files": [("file", ("a.mp4", b"x")), ("file", ("b.mp4", b"x"))]},
        {"files": {"file": ("a.mp4", b"x")}, "data": {"more": "x"}},
    ):
        session_id = anna.open()
        headers = {**headers_of(serving.anna), **options.pop("headers", {})}
        answer = requests.post(
            f"{serving.api}/dashboard/upload/{session_id}",
            headers=headers,
            timeout=TIMEOUT_S,
            **options,
        )
        assert answer.status_code == 400, answer.text
        assert set(answer.json()) == ENVELOPE
        assert answer.json()["cleanup_performed"] is True
        assert_nothing_is_left(serving.workspace, anna, session_id)


def test_of_a_body_that_stops_nothing_is_left(serving: IntakeServer, anna: Dashboard) -> None:
    session_id = anna.open()
    address = urlsplit(serving.api)
    head = (
        f"POST {address.path}/dashboard/upload/{session_id} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {serving.anna}\r\nContent-Length: 100000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\nfirst'
    )
    with socket.create_connection((address.hostname, address.port), TIMEOUT_S) as sender:
        sender.sendall(head.encode())
        sender.shutdown(socket.SHUT_WR)
        sender.recv(65536)
    wait_until(lambda: not rows(serving.workspace, UploadSession), "the upload is undone")
    assert_nothing_is_left(serving.workspace, anna, session_id)


def test_a_form_without_a_length_begins_nothing(serving: IntakeServer, anna: Dashboard) -> None:
    session_id = anna.open()
    answer = requests.post(
        f"{serving.api}/dashboard/upload/{session_id}",
        data=iter([b"--b\r\n", b"--b--\r\n"]),
        headers={
            **headers_of(serving.anna),
            "Content-Type": "multipart/form-data; boundary=b",
        },
        timeout=TIMEOUT_S,
    )
    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    told = envelope(answer, 411, "length_required")
    assert told["cleanup_details"] == NOTHING_UNDONE
    assert anna.status(session_id) == "active"


def test_a_session_is_for_one_file_of_its_user_and_its_hour(
    serving: IntakeServer, anna: Dashboard, ben: Dashboard, video: bytes
) -> None:
    session_id, old = anna.open(), anna.open()
    assert ben.status(session_id) == "invalid"
    with serving.workspace.ledger.write() as session:
        expired = serving.workspace.ledger.now() - timedelta(seconds=1)
        session.execute(
            update(UploadSession).where(UploadSession.id == old).values(expires_at=expired)
        )
    assert anna.status(old) == "expired"
    refused = [
        anna.send("f" * 32, video),
        anna.send("%00..", video),
        ben.send(session_id, video),
        anna.send(old, video),
        ben.call("DELETE", f"/dashboard/upload/{session_id}"),
    ]
    assert anna.status(session_id) == "active"
    answer = anna.send(session_id, video)
    assert answer.status_code == 201
    refused.append(anna.send(session_id, video))
    refused.append(anna.call("DELETE", f"/dashboard/upload/{session_id}"))
    for one in refused:
        told = envelope(one, 404, "session_not_found")
        assert (told["cleanup_performed"], told["cleanup_details"]) == (False, NOTHING_UNDONE)
    results = f"/dashboard/videos/{answer.json()['video_id']}/results"
    envelope(ben.call("GET", results), 404, "video_not_found")
    envelope(anna.call("GET", "/dashboard/videos/nothing/results"), 404, "video_not_found")
    assert Dashboard(serving.api, serving.root).call("GET", results).status_code == 200
    assert len(objects(serving.workspace)) == 1


def test_a_session_can_be_given_up_once(serving: IntakeServer, anna: Dashboard) -> None:
    session_id = anna.open()
    answer = anna.call("DELETE", f"/dashboard/upload/{session_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert_nothing_is_left(serving.workspace, anna, session_id)
    envelope(anna.call("DELETE", f"/dashboard/upload/{session_id}"), 404, "session_not_found")


def test_a_spent_quota_is_told_in_the_envelope(
    serving: IntakeServer, anna: Dashboard, video: bytes
) -> None:
    session_id = anna.open()
    limit_user(serving.workspace, bytes_per_day=len(video) - 1)
    refused = anna.send(session_id, video)
    told = envelope(refused, 429, "quota_exceeded")
    assert told["details"]["limit"] == len(video) - 1
    assert told["cleanup_details"]["session_closed"] is True
    assert 0 < int(refused.headers["Retry-After"]) <= 24 * 3600
    assert_nothing_is_left(serving.workspace, anna, session_id)
    limit_user(serving.workspace, uploads_per_day=1)
    opened_before = anna.open()
    assert anna.send(anna.open(), video).status_code == 201
    told = envelope(anna.send(opened_before, video), 429, "quota_exceeded")
    assert told["cleanup_details"]["session_closed"] is True
    assert anna.status(opened_before) == "invalid"
    told = envelope(anna.call("POST", "/dashboard/upload"), 429, "quota_exceeded")
    assert told["cleanup_performed"] is False


def test_strangers_and_readers_are_told_in_the_envelope(serving: IntakeServer) -> None:
    nobody = Dashboard(serving.api, "rfk_none")
    answer = nobody.call("POST", "/dashboard/upload")
    envelope(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    envelope(nobody.call("GET", "/dashboard/statistics"), 401, "unauthenticated")
    carl = Dashboard(serving.api, serving.carl)
    envelope(carl.call("POST", "/dashboard/upload"), 403, "scope_missing")
    assert carl.call("GET", "/dashboard/statistics").json()["total_uploads"] == 0


@pytest.mark.parametrize("serving", ["s3"], indirect=True)
def test_a_storage_that_refuses_leaves_nothing(
    serving: IntakeServer, intake_s3: S3Server, anna: Dashboard, video: bytes
) -> None:
    session_id = anna.open()
    intake_s3.fault("PUT", session_id, status=500, code="InternalError", times=2)
    told = envelope(anna.send(session_id, video), 500, "unavailable")
    intake_s3.reset()
    assert told["cleanup_performed"] is True
    assert told["cleanup_details"] == {
        "session_closed": True, "row_deleted": False, "object_deleted": True,
    }  # fmt: skip
    assert_nothing_is_left(serving.workspace, anna, session_id)


class TestExternalEngine:
    @pytest.fixture
    def detector(self) -> Iterator[DetectionServer]:
        with DetectionServer() as server:
            yield server

    @pytest.fixture
    def serving(
        self, tmp_path: Path, database_url: str, detector: DetectionServer
    ) -> Iterator[IntakeServer]:
        """A server that knows a detection engine."""
        settings = local_settings(tmp_path, database_url)
        connection = {"conn_type": "http", "host": detector.url}
        settings["AIRFLOW_CONN_DETECTION_DEFAULT"] = json.dumps(connection)
        with serving_intake(settings) as server:
            yield server

    def test_is_asked_again_until_it_knows(
        self, serving: IntakeServer, anna: Dashboard, detector: DetectionServer, video: bytes
    ) -> None:
        detector.polls_needed = 2
        told = anna.send(anna.open(), video).json()
        assert (told["upload_status"], told["estimated_processing_time"]) == ("processing", 3)
        assert told["detection_result"] is None
        assert detector.calls[0].body == video
        counted = anna.call("GET", "/dashboard/statistics").json()["verdicts"]
        assert counted["processing"] == 1

        results = f"/dashboard/videos/{told['video_id']}/results"
        early, late = anna.call("GET", results), anna.call("GET", results)
        assert early.json()["upload_status"] == "processing"
        assert early.json()["estimated_processing_time"] == 2
        assert early.headers["Retry-After"] == "2"
        assert late.json()["upload_status"] == "analyzed"
        assert late.json()["analysis_id"] == told["analysis_id"]
        detection = late.json()["detection_result"]
        assert (detection["is_fake"], detection["confidence_score"]) == (True, 0.93)
        assert detection["processing_time"] == 4.5
        assert detection["metadata"]["summary"] == "the face does not blink"
        asked = len(detector.calls)
        assert anna.call("GET", results).json()["upload_status"] == "analyzed"
        assert len(detector.calls) == asked

    def test_that_cannot_be_reached_undoes_the_upload(
        self, serving: IntakeServer, anna: Dashboard, detector: DetectionServer, video: bytes
    ) -> None:
        detector.stop()
        session_id = anna.open()
        told = envelope(anna.send(session_id, video), 500, "unavailable")
        assert told["cleanup_details"] == {
            "session_closed": True, "row_deleted": True, "object_deleted": True,
        }  # fmt: skip
        assert_nothing_is_left(serving.workspace, anna, session_id)

    def test_that_loses_an_analysis_is_asked_anew(
        self, anna: Dashboard, detector: DetectionServer, video: bytes
    ) -> None:
        told = anna.send(anna.open(), video).json()
        detector.forget()
        results = anna.call("GET", f"/dashboard/videos/{told['video_id']}/results").json()
        assert results["upload_status"] == "analyzed"
        assert results["analysis_id"] == told["analysis_id"]

    def test_that_loses_an_analysis_is_not_asked_anew_by_who_may_only_read(
        self, serving: IntakeServer, anna: Dashboard, detector: DetectionServer, video: bytes
    ) -> None:
        read = frozenset({Scope.READ})
        _, key = create_key(serving.workspace, "anna", "reader", read, None, "tests")
        reader = Dashboard(serving.api, key)
        told = anna.send(anna.open(), video).json()
        results = f"/dashboard/videos/{told['video_id']}/results"
        detector.forget()
        for _ in range(2):
            assert reader.call("GET", results).json()["upload_status"] == "processing"
        assert detector.analyses == {}
        assert anna.call("GET", results).json()["upload_status"] == "processing"
        assert len(detector.analyses) == 1
        assert reader.call("GET", results).json()["upload_status"] == "analyzed"
