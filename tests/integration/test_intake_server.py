"""`reelflow serve` over real sockets: its health, its schema, and the limits of every request."""

from __future__ import annotations

import json
import socket
import time
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from reelflow.api.http_connection import HEAD_MAX_BYTES
from reelflow.api.limits import BODY_MAX_BYTES
from reelflow.domain.upload_session import SWEPT_AFTER
from reelflow.domain.user import Scope
from reelflow.ledger import quotas
from reelflow.services.api_keys import create_key, revoke_key
from tests import factories
from tests.chunked_uploads import Uploads
from tests.integration.intake_server import (
    ON_BOTH_STORES,
    IntakeServer,
    headers_of,
    local_settings,
    open_workspace,
    serving_intake,
)

DEADLINE_S = 30.0
PATH = "/reelflow/api/v1"


@pytest.fixture
def connection(shared_serving: IntakeServer) -> socket.socket:
    """A connection to the server, on which requests are written by hand."""
    address = urlsplit(shared_serving.api)
    return socket.create_connection((address.hostname, address.port), timeout=DEADLINE_S)


def ask(connection: socket.socket, *lines: str) -> HTTPResponse:
    """Send the head of a request; return what is answered to that alone."""
    head = "\r\n".join([*lines, "Host: web.test", "", ""])
    connection.sendall(head.encode("latin-1"))
    answer = HTTPResponse(connection)
    answer.begin()
    return answer


def is_closed(connection: socket.socket) -> bool:
    """Whether the server ends the connection."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return True


@ON_BOTH_STORES
def test_it_is_well_wherever_the_files_are(serving: IntakeServer) -> None:
    answer = requests.get(f"{serving.api}/health", timeout=DEADLINE_S)
    checks = {"database": "ok", "storage": "ok", "engine": "not_configured", "tiktok": "ok"}
    assert (answer.status_code, answer.json()["checks"]) == (200, checks)


def test_the_schema_is_for_everybody(shared_serving: IntakeServer) -> None:
    schema = requests.get(f"{shared_serving.api}/openapi.json", timeout=DEADLINE_S).json()
    assert f"{PATH}/health" in schema["paths"]


def test_headers_that_are_too_large_are_431_and_the_connection_ends(
    connection: socket.socket,
) -> None:
    with connection:
        answer = ask(connection, f"GET {PATH}/health HTTP/1.1", f"X-Long: {'x' * 40_000}")
        assert answer.status == 431
        assert is_closed(connection)


@pytest.mark.parametrize(("size_bytes", "status"), [(30_000, 200), (40_000, 431)])
def test_headers_that_come_in_pieces_are_judged_once_they_are_whole(
    connection: socket.socket, size_bytes: int, status: int
) -> None:
    with connection:
        connection.sendall(f"GET {PATH}/health HTTP/1.1\r\nX: {'x' * size_bytes}".encode())
        answer = ask(connection, "")
        assert answer.status == status


def test_headers_without_end_are_431_in_the_shape_of_all_errors(connection: socket.socket) -> None:
    with connection:
        begun = f"GET {PATH}/health HTTP/1.1\r\nX: ".encode()
        connection.sendall(begun.ljust(HEAD_MAX_BYTES + 1, b"x"))
        answer = HTTPResponse(connection)
        answer.begin()
        assert (answer.status, json.load(answer)["reason"]) == (431, "headers_too_large")
        assert is_closed(connection)


def test_a_body_of_two_lengths_is_400_and_the_connection_ends(connection: socket.socket) -> None:
    with connection:
        answer = ask(
            connection,
            f"POST {PATH}/media/upload/init HTTP/1.1",
            "Content-Length: 4",
            "Transfer-Encoding: chunked",
        )
        assert (answer.status, json.load(answer)["reason"]) == (400, "ambiguous_length")
        assert is_closed(connection)


def test_headers_without_end_are_given_up(connection: socket.socket) -> None:
    with connection:
        answer = ask(connection, f"GET {PATH}/health HTTP/1.1", f"X-Long: {'x' * 200_000}")
        assert 400 <= answer.status < 500
        assert is_closed(connection)


def test_an_address_that_is_too_long_is_414(connection: socket.socket) -> None:
    with connection:
        answer = ask(connection, f"GET {PATH}/health?q={'x' * 20_000} HTTP/1.1")
        assert answer.status == 414


@pytest.mark.parametrize("name", ["..", "%2e%2e", "%00", "%ff", "a%2Fb", "x" * 5000])
def test_no_name_in_an_address_is_more_than_a_name(shared_serving: IntakeServer, name: str) -> None:
    answer = requests.get(f"{shared_serving.api}/public/media/{name}/1/2/3", timeout=DEADLINE_S)
    assert 400 <= answer.status_code < 500
    assert str(shared_serving.home) not in answer.text


ANNOUNCED = {
    "file_name": "clip.mp4",
    "file_size": 1000,
    "content_type": "video/mp4",
    "media_type": "video",
}


def announce(serving: IntakeServer, key: str | None) -> requests.Response:
    """Begin an upload."""
    headers = {} if key is None else headers_of(key)
    url = f"{serving.api}/media/upload/init"
    return requests.post(url, json=ANNOUNCED, headers=headers, timeout=DEADLINE_S)


def test_a_key_lets_in_until_it_is_revoked(shared_serving: IntakeServer) -> None:
    scopes = frozenset({Scope.WRITE})
    row, key = create_key(shared_serving.workspace, "dora", "", scopes, None, "tests")
    assert announce(shared_serving, key).status_code == 201
    revoke_key(shared_serving.workspace, row.id)
    answer = announce(shared_serving, key)
    assert (answer.status_code, answer.json()["reason"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_who_shows_no_key_or_one_that_may_not_is_refused(shared_serving: IntakeServer) -> None:
    for key, status, reason in (
        (None, 401, "unauthenticated"),
        ("rfk_nothing", 401, "unauthenticated"),
        (shared_serving.carl, 403, "scope_missing"),
    ):
        answer = announce(shared_serving, key)
        assert (answer.status_code, answer.json()["reason"]) == (status, reason)


def test_a_used_up_quota_is_429_with_when_to_come_again(shared_serving: IntakeServer) -> None:
    ledger = shared_serving.workspace.ledger
    with ledger.write() as session:
        now = ledger.now()
        quotas.store(session, "ben", uploads_per_day=1, bytes_per_day=None, now=now, actor="tests")
    assert announce(shared_serving, shared_serving.ben).status_code == 201
    answer = announce(shared_serving, shared_serving.ben)
    assert (answer.status_code, answer.json()["reason"]) == (429, "quota_exceeded")
    assert answer.json()["details"]["limit"] == 1
    assert 0 < int(answer.headers["retry-after"]) <= 24 * 3600


@pytest.mark.parametrize("length", [BODY_MAX_BYTES + 1, 10**24])
def test_a_body_that_is_declared_too_large_is_refused_before_it_is_sent(
    shared_serving: IntakeServer, connection: socket.socket, length: int
) -> None:
    with connection:
        answer = ask(
            connection,
            f"POST {PATH}/media/upload/init HTTP/1.1",
            f"Authorization: Bearer {shared_serving.anna}",
            "Content-Type: application/json",
            f"Content-Length: {length}",
        )
        assert 400 <= answer.status < 500
        assert answer.status == 413 or length > BODY_MAX_BYTES + 1
        assert is_closed(connection)


def test_a_body_without_end_is_refused_once_it_is_too_large(
    shared_serving: IntakeServer, connection: socket.socket
) -> None:
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with connection:
        connection.sendall(
            f"POST {PATH}/media/upload/init HTTP/1.1\r\nHost: web.test\r\n"
            f"Authorization: Bearer {shared_serving.anna}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        for _ in range(BODY_MAX_BYTES // 65_536 + 1):
            connection.sendall(piece)
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 413
        assert is_closed(connection)


def test_what_nobody_goes_on_with_is_swept_when_a_server_starts(tmp_path: Path) -> None:
    settings = local_settings(tmp_path, factories.migrated_sqlite(tmp_path))
    uploads = Uploads(open_workspace(settings))
    upload_id = uploads.open(1000)
    long_ago = uploads.workspace.ledger.now() - SWEPT_AFTER
    uploads.change(upload_id, expires_at=long_ago)
    with serving_intake(settings):
        deadline_s = time.monotonic() + DEADLINE_S
        while uploads.row(upload_id) is not None:
            assert time.monotonic() < deadline_s, "it was not swept"
            time.sleep(0.05)
    assert uploads.stored() == []
