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


@pytest.mark.parametrize(
    ("extra", "sends_url"),
    [
        (None, False),
        ("", False),
        ({}, False),
        ({"send": "bytes"}, False),
        ({"send": "url"}, True),
        ('{"send": "url"}', True),
    ],
)
def test_bytes_are_sent_unless_the_extra_wants_urls(extra: object, sends_url: bool) -> None:
    connection = read(host="detector", extra=extra)
    assert connection is not None
    assert connection.sends_url is sends_url


@pytest.mark.parametrize("send", ["URL", "urls", " url", "", None, True, 1, ["url"], {"url": 1}])
def test_another_way_to_send_is_named_with_those_there_are(send: object) -> None:
    with pytest.raises(ConfigurationError, match='neither "url" nor "bytes"') as caught:
        read(host="detector", extra={"send": send})
    assert f'"send" of its extra is {json.dumps(send)},' in str(caught.value)


def test_a_long_way_to_send_is_cut_and_acts_on_no_screen() -> None:
    with pytest.raises(ConfigurationError, match="neither") as caught:
        read(host="detector", extra={"send": "\x1b[2J" + "x" * 10_000})
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"send": "url"}, "it has 'send', of which nothing is read, only conn_type, description"),
        ({"extra": {"timeout": 60}}, "extra has 'timeout', of which nothing is read, only send"),
        ({"extra": {"Send": "url"}}, "extra has 'Send', of which nothing is read, only send"),
        ({"extra": ["send"]}, "extra is no JSON object"),
        ({"extra": '"url"'}, "extra is no JSON object"),
        ({"extra": 7}, "extra is no JSON object"),
        ({"extra": False}, "extra is no JSON object"),
        ({"extra": "[]"}, "extra is no JSON object"),
        ({"login": "key"}, "has a login"),
        ({"login": 7}, "login is no text"),
        ({"password": 12345}, "password is no text"),
        ({"password": [SECRET]}, "password is no text"),
        ({"password": False}, "password is no text"),
        ({"host": 7}, "host is no text"),
        ({"schema": "ftp"}, "schema is neither http nor https"),
        ({"schema": "ftp", "host": "https://detector"}, "schema is neither http nor https"),
        ({"schema": True}, "schema is no text"),
        ({"port": 0}, "port is no number"),
        ({"port": True}, "port is no number"),
        ({"port": 80.5}, "port is no number"),
        ({"port": "80/path"}, "port is no number"),
        ({"port": 65536}, "port is no number"),
    ],
)
def test_a_field_that_would_not_be_obeyed_is_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        read(**{"host": "detector", **fields})
    assert caught.value.code == "connection_malformed"
    assert SECRET not in str(caught.value)


def test_a_port_as_text_and_a_description_are_taken() -> None:
    connection = read(host="detector", port="8443", description="ours", login="", schema=None)
    assert connection == DetectionConnection("https://detector:8443")


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
