"""Whether a page of this server asked: the browser's word for it, and nobody else's."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from reelflow_provider.web.same_origin import is_same_origin

BASE_URL = "https://airflow.example.com/team/airflow"


def asked_with(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin"},
        # The browser's verdict on the address that it knows; we may see the proxy's.
        {"sec_fetch_site": "same-origin", "origin": "https://known.example", "host": "internal"},
        {"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:8080"},
        {"origin": "http://[::1]:8080", "host": "[::1]:8080"},
        # Browsers leave the scheme's own port out of an origin.
        {"origin": "https://airflow.internal", "host": "airflow.internal:443"},
        {"origin": "http://airflow.internal", "host": "AIRFLOW.internal:80"},
        {"origin": "https://airflow.example.com", "host": "10.0.0.7:8080"},
        {"origin": "https://airflow.example.com:443", "host": "10.0.0.7:8080"},
    ],
)
def test_a_page_of_this_server_may_ask(headers: dict[str, str]) -> None:
    assert is_same_origin(asked_with(**headers), BASE_URL)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "127.0.0.1:8080"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "cross-site", "origin": "http://a.example", "host": "a.example"},
        {"origin": "null", "host": "127.0.0.1:8080"},
        {"origin": "null", "host": "null"},
        {"origin": "", "host": ""},
        {"origin": "http://", "host": ""},
        {"origin": "//a.example", "host": "a.example"},
        {"origin": "a.example", "host": "a.example"},
        {"origin": "file://a.example", "host": "a.example"},
        {"origin": "http://evil.example", "host": "127.0.0.1:8080"},
        {"origin": "http://127.0.0.1:8081", "host": "127.0.0.1:8080"},
        {"origin": "http://127.0.0.1", "host": "127.0.0.1:8080"},
        {"origin": "http://airflow.example.com", "host": "10.0.0.7:8080"},
        {"origin": "https://airflow.example.com.evil.example", "host": "10.0.0.7:8080"},
        {"origin": "https://sub.airflow.example.com", "host": "10.0.0.7:8080"},
        {"origin": "https://evil.example", "host": "evil.example@127.0.0.1:8080"},
        {"origin": "http://a.example:port", "host": "a.example:port"},
        {"origin": "http://[::1", "host": "[::1"},
    ],
)
def test_nobody_else_may(headers: dict[str, str]) -> None:
    assert not is_same_origin(asked_with(**headers), BASE_URL)


def test_without_a_configured_address_that_of_the_request_counts() -> None:
    headers = {"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:8080"}
    assert is_same_origin(asked_with(**headers), "")
    assert not is_same_origin(asked_with(origin="http://evil.example", host="127.0.0.1:8080"), "")
