"""The dashboard's routes: what servers, proxies and odd clients make of them."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from functools import partial

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from reelflow.api.app import API_PATH, assemble_app
from reelflow.api.dashboard_errors import Envelope
from reelflow.exceptions import AnalysisUnavailableError
from reelflow.services.workspace import Workspace
from tests.full_disk import fill_disk
from tests.intake_users import limit_user
from tests.known_users import ANNA, BEN, CARL, KnownUsers
from tests.left_behind import assert_nothing_is_left, used
from tests.media_files import h264_mp4
from tests.unit.reelflow.api.conftest import Web
from tests.unit.reelflow.services.intake.scripted_engine import ScriptedEngine, engines

FORM_TYPE = "multipart/form-data; boundary=b"
FILE_HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'


def opened(web: Web) -> str:
    session_id: str = web.post("/dashboard/upload", headers=ANNA).json()["session_id"]
    return session_id


def send(web: Web, session_id: str, headers: dict[str, str] = ANNA) -> httpx.Response:
    files = {"file": ("clip.mp4", h264_mp4().read_bytes(), "video/mp4")}
    return web.post(f"/dashboard/upload/{session_id}", files=files, headers=headers)


def told_of(web: Web, session_id: str) -> str:
    status: str = web.get(f"/dashboard/upload/{session_id}/status", headers=ANNA).json()["status"]
    return status


def assert_is_undone(answer: httpx.Response, status: int, code: str) -> None:
    told = answer.json()
    assert (answer.status_code, told["error_code"]) == (status, code)
    assert (told["cleanup_performed"], told["cleanup_details"]["session_closed"]) == (True, True)


def assert_begun_nothing(answer: httpx.Response, status: int, code: str) -> None:
    told = answer.json()
    assert (answer.status_code, told["error_code"]) == (status, code)
    assert (told["cleanup_performed"], told["cleanup_details"]["session_closed"]) == (False, False)


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


def test_a_length_that_cannot_be_reserves_no_more_than_a_file_may_have(
    web: Web, workspace: Workspace
) -> None:
    session_id = opened(web)
    limit_user(workspace, bytes_per_day=1000)
    headers = {**ANNA, "Content-Length": "9" * 20, "Content-Type": FORM_TYPE}
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


def fill(_: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_disk(monkeypatch, free_bytes=8192)


def spend(workspace: Workspace, _: pytest.MonkeyPatch) -> None:
    limit_user(workspace, bytes_per_day=1)


def unplug(_: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store's disk answer nothing any more."""

    def answer(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fstatvfs", answer)


Break = Callable[[Workspace, pytest.MonkeyPatch], None]


@pytest.mark.parametrize(
    ("break_it", "status", "code"),
    [
        (fill, 500, "storage_full"),
        (spend, 429, "quota_exceeded"),
        (unplug, 500, "unavailable"),
    ],
)
def test_a_session_ends_with_whatever_fails_before_its_file_is_there(
    web: Web,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Break,
    status: int,
    code: str,
) -> None:
    session_id = opened(web)
    break_it(workspace, monkeypatch)
    answer = send(web, session_id)
    assert_is_undone(answer, status, code)
    assert told_of(web, session_id) == "invalid"
    assert_nothing_is_left(workspace)


@pytest.mark.parametrize(
    ("content", "content_type", "code"),
    [
        (b"{}", "application/json", "unsupported_media_type"),
        (b"no form", FORM_TYPE, "invalid_multipart"),
        (b"--b--\r\n", FORM_TYPE, "invalid_request"),
        (FILE_HEAD + b"no video\r\n--b--\r\n", FORM_TYPE, "not_this_media"),
        (FILE_HEAD + b"no end", FORM_TYPE, "body_cut"),
    ],
)
def test_a_session_ends_with_a_body_that_is_wrong(
    web: Web, workspace: Workspace, content: bytes, content_type: str, code: str
) -> None:
    session_id = opened(web)
    headers = {**ANNA, "Content-Type": content_type}
    answer = web.post(f"/dashboard/upload/{session_id}", content=content, headers=headers)
    assert_is_undone(answer, 400, code)
    assert told_of(web, session_id) == "invalid"
    assert_nothing_is_left(workspace)


def test_a_session_ends_with_an_engine_that_cannot_be_asked(workspace: Workspace) -> None:
    engine = ScriptedEngine()
    engine.start_failure = AnalysisUnavailableError("http://10.0.0.7 is away")
    asked = partial(nullcontext, engines(engine))
    web = Web(assemble_app(workspace, None, KnownUsers(), engines=asked))
    session_id = opened(web)
    answer = send(web, session_id)
    assert_is_undone(answer, 500, "unavailable")
    assert answer.json()["cleanup_details"]["row_deleted"] is True
    assert told_of(web, session_id) == "invalid"
    assert_nothing_is_left(workspace)


def test_a_busy_server_leaves_the_session_for_later(workspace: Workspace, web: Web) -> None:
    session_id = opened(web)
    busy = Web(assemble_app(workspace, None, KnownUsers(), max_file_bodies=0))
    assert_begun_nothing(send(busy, session_id), 503, "busy")
    assert send(web, session_id).status_code == 201


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "unauthenticated"),
        (CARL, 403, "scope_missing"),
        (BEN, 404, "session_not_found"),
    ],
    ids=["nobody", "a reader", "somebody else"],
)
def test_who_may_not_use_a_session_ends_none_also_where_there_is_no_room(
    web: Web,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    session_id = opened(web)
    with monkeypatch.context() as disk:
        fill_disk(disk, free_bytes=8192)
        assert_begun_nothing(send(web, session_id, headers), status, code)
    assert send(web, session_id).status_code == 201


@pytest.mark.parametrize("length", [None, "none", "-5"])
def test_a_form_without_a_length_is_refused_and_leaves_the_session(
    web: Web, length: str | None
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield FILE_HEAD
        yield h264_mp4().read_bytes()
        yield b"\r\n--b--\r\n"

    session_id = opened(web)
    headers = {**ANNA, "Content-Type": FORM_TYPE}
    if length is not None:
        headers["Content-Length"] = length
    answer = web.post(f"/dashboard/upload/{session_id}", content=pieces(), headers=headers)
    assert_begun_nothing(answer, 411, "length_required")
    assert answer.headers["Connection"] == "close"
    assert send(web, session_id).status_code == 201


def test_somebody_else_undoes_nothing(web: Web, workspace: Workspace) -> None:
    session_id = opened(web)
    assert send(web, session_id, BEN).status_code == 404
    assert web.delete(f"/dashboard/upload/{session_id}", headers=BEN).status_code == 404
    assert web.delete(f"/dashboard/upload/{session_id}", headers=ANNA).status_code == 204
    assert_nothing_is_left(workspace)


def test_the_schema_tells_of_the_envelope(web: Web) -> None:
    schema = web.get("/openapi.json").json()
    answers = schema["paths"][f"{API_PATH}/dashboard/upload/{{session_id}}"]["post"]["responses"]
    for status in ("400", "401", "403", "404", "411", "429", "500", "503"):
        shown = answers[status]["content"]["application/json"]["schema"]
        assert shown == {"$ref": "#/components/schemas/Envelope"}, status


@pytest.mark.parametrize("mounted_at", ["", "/reelflow"])
@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allowed"),
    [
        ("GET", "/dashboard", 404, "not_found", set()),
        ("POST", "/dashboard/uploads", 404, "not_found", set()),
        ("GET", "/dashboard/videos/1/results/", 404, "not_found", set()),
        ("PUT", "/dashboard/upload", 405, "method_not_allowed", {"POST"}),
        ("GET", "/dashboard/upload/1", 405, "method_not_allowed", {"POST", "DELETE"}),
        ("BREW", "/dashboard/statistics", 405, "method_not_allowed", {"GET"}),
    ],
)
def test_what_the_dashboard_has_no_answer_for_is_told_in_the_envelope(
    workspace: Workspace,
    mounted_at: str,
    method: str,
    path: str,
    status: int,
    code: str,
    allowed: set[str],
) -> None:
    app: ASGIApp = assemble_app(workspace, None, KnownUsers(), mounted_at=mounted_at)
    if mounted_at:
        app = Starlette(routes=[Mount(mounted_at, app)])
    answer = Web(app).request(method, path, headers=ANNA)
    assert set(answer.json()) == set(Envelope.model_fields)
    assert_begun_nothing(answer, status, code)
    assert set(answer.headers.get("Allow", "").split(", ")) == (allowed or {""})


@pytest.mark.parametrize("path", ["/dashboards", "/dashboardx/upload", "/nothing/dashboard/upload"])
def test_addresses_that_only_look_like_the_dashboards_have_no_envelope(web: Web, path: str) -> None:
    answer = web.get(path)
    assert (answer.status_code, answer.json()["reason"]) == (404, "not_found")
