"""`reelflow serve` over real sockets: its health, its schema, and the limits of every request."""

from __future__ import annotations

import socket
from http.client import HTTPResponse
from urllib.parse import urlsplit

import pytest
import requests

from tests.integration.intake_server import ON_BOTH_STORES, IntakeServer

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
    checks = {"database": "ok", "storage": "ok"}
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
