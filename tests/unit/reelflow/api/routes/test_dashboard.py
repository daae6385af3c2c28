"""The dashboard's routes: what servers, proxies and odd clients make of them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from reelflow.api.app import API_PATH, assemble_app
from reelflow.services.workspace import Workspace
from tests.intake_users import limit_user
from tests.known_users import ANNA, BEN, KnownUsers
from tests.left_behind import assert_nothing_is_left, used
from tests.media_files import h264_mp4
from tests.unit.reelflow.api.conftest import Web


def opened(web: Web) -> str:
    session_id: str = web.post("/dashboard/upload", headers=ANNA).json()["session_id"]
    return session_id


def send(web: Web, session_id: str, headers: dict[str, str] = ANNA) -> httpx.Response:
    files = {"file": ("clip.mp4", h264_mp4().read_bytes(), "video/mp4")}
    return web.post(f"/dashboard/upload/{session_id}", files=files, headers=headers)


def test_a_session_says_what_it_takes_and_where(web: Web) -> None:
    told = web.post("/dashboard/upload", headers=ANNA).json()
    path = f"{API_PATH}/dashboard/upload/{told['session_id']}"
    assert (told["upload_url"], told["status_url"]) == (path, f"{path}/status")
    assert told["max_file_size"] == 500 * 1024 * 1024
    assert told["formats"] == [".mp4", ".mov", ".webm"]


def test_addresses_are_those_of_the_application_around(workspace: Workspace) -> None:
    app = assemble_app(workspace, None, KnownUsers(), mounted_at="/reelflow")
    paths = {getattr(route, "path", "") for route in app.routes}
    assert "/api/v1/dashboard/upload/{session_id}" in paths
    assert "/api/v1/upload/create-job" in paths


def test_a_busy_server_leaves_the_session_for_later(workspace: Workspace) -> None:
    busy = Web(assemble_app(workspace, None, KnownUsers(), max_file_bodies=0))
    session_id = opened(busy)
    answer = send(busy, session_id)
    assert (answer.status_code, answer.json()["error_code"]) == (503, "busy")
    assert answer.json()["cleanup_performed"] is False
    status = busy.get(f"/dashboard/upload/{session_id}/status", headers=ANNA)
    assert status.json()["status"] == "active"


@pytest.mark.parametrize("length", ["99999999999999999999999", "none", "-5"])
def test_a_length_that_cannot_be_reserves_no_more_than_a_file_may_have(
    web: Web, workspace: Workspace, length: str
) -> None:
    session_id = opened(web)
    limit_user(workspace, bytes_per_day=1000)
    headers = {**ANNA, "Content-Length": length, "Content-Type": "multipart/form-data; boundary=b"}
    answer = web.post(f"/dashboard/upload/{session_id}", content=b"", headers=headers)
    assert answer.status_code == 429
    assert answer.json()["details"]["wanted"] == 500 * 1024 * 1024


@pytest.mark.parametrize(("missing_bytes", "status"), [(0, 201), (1, 429)])
def test_a_quota_counts_the_file_and_not_the_form_around_it(
    web: Web, workspace: Workspace, missing_bytes: int, status: int
) -> None:
    size_bytes = h264_mp4().stat().st_size
    limit_user(workspace, bytes_per_day=size_bytes - missing_bytes)
    answer = send(web, opened(web))
    assert answer.status_code == status, answer.text
    if missing_bytes:
        assert answer.json()["details"]["limit"] == size_bytes - 1
        assert answer.json()["cleanup_details"]["session_closed"] is True
        assert_nothing_is_left(workspace)
    else:
        assert used(workspace) == (1, size_bytes)


def test_a_form_without_a_length_is_taken(web: Web, workspace: Workspace) -> None:
    content = h264_mp4().read_bytes()

    async def pieces() -> Iterator[bytes]:  # type: ignore[misc]
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
        yield content
        yield b"\r\n--b--\r\n"

    headers = {**ANNA, "Content-Type": "multipart/form-data; boundary=b"}
    answer = web.post(f"/dashboard/upload/{opened(web)}", content=pieces(), headers=headers)
    assert answer.status_code == 201, answer.text
    assert used(workspace) == (1, len(content))


def test_somebody_else_undoes_nothing(web: Web, workspace: Workspace) -> None:
    session_id = opened(web)
    assert send(web, session_id, BEN).status_code == 404
    assert web.delete(f"/dashboard/upload/{session_id}", headers=BEN).status_code == 404
    assert web.delete(f"/dashboard/upload/{session_id}", headers=ANNA).status_code == 204
    assert_nothing_is_left(workspace)


def test_the_schema_tells_of_the_envelope(web: Web) -> None:
    schema = web.get("/openapi.json").json()
    answers = schema["paths"][f"{API_PATH}/dashboard/upload/{{session_id}}"]["post"]["responses"]
    for status in ("400", "401", "403", "404", "429", "500", "503"):
        shown = answers[status]["content"]["application/json"]["schema"]
        assert shown == {"$ref": "#/components/schemas/Envelope"}, status
