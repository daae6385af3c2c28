"""The connection of the detection engine: read as Airflow writes it, never quoted."""

import json
from typing import Any

import pytest

from reelflow.analysis.connection import (
    VARIABLE,
    DetectionConnection,
    missing_connection,
    read_detection_connection,
)
from reelflow.exceptions import ConfigurationError

SECRET = "dk-s3cret"


def read(**fields: Any) -> DetectionConnection | None:
    return read_detection_connection({VARIABLE: json.dumps({"conn_type": "http", **fields})})


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({"host": "detector.example.com"}, "https://detector.example.com"),
        ({"host": "detector.example.com", "port": 8443}, "https://detector.example.com:8443"),
        ({"host": "detector", "schema": "http", "port": 80}, "http://detector:80"),
        ({"host": "https://detector.example.com/v1/"}, "https://detector.example.com/v1"),
        ({"host": "http://127.0.0.1:8000/v1"}, "http://127.0.0.1:8000/v1"),
    ],
)
def test_the_address_is_https_unless_it_says_otherwise(
    fields: dict[str, Any], base_url: str
) -> None:
    connection = read(**fields)
    assert connection is not None
    assert connection.base_url == base_url


def test_the_key_is_its_password_and_is_never_shown() -> None:
    connection = read(host="detector", password=SECRET, extra='{"send": "url"}')
    assert connection == DetectionConnection("https://detector", SECRET, sends_url=True)
    assert SECRET not in repr(connection)


def test_a_variable_that_is_not_set_is_no_connection() -> None:
    assert read_detection_connection({}) is None
    assert VARIABLE in str(missing_connection())


@pytest.mark.parametrize(
    "stored",
    [
        f"http://user:{SECRET}@detector",
        f'["{SECRET}"]',
        json.dumps({"conn_type": "tiktok", "host": "detector", "password": SECRET}),
        json.dumps({"conn_type": "http", "password": SECRET}),
        json.dumps({"conn_type": "http", "host": f"user:{SECRET}@detector"}),
        json.dumps({"conn_type": "http", "host": f"detector?key={SECRET}"}),
        json.dumps({"conn_type": "http", "host": f"ftp://detector/{SECRET}"}),
        json.dumps({"conn_type": "http", "host": "detector", "port": 70_000}),
        json.dumps({"conn_type": "http", "host": "detector", "password": f"{SECRET}\r\nX: y"}),
        json.dumps({"conn_type": "http", "host": "detector", "extra": f"{{{SECRET}"}),
    ],
)
def test_a_connection_that_cannot_be_used_is_not_quoted(stored: str) -> None:
    with pytest.raises(ConfigurationError, match="detection_default") as caught:
        read_detection_connection({VARIABLE: stored})
    assert SECRET not in str(caught.value)
