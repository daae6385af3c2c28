"""The detection engine's connection, from where Airflow keeps it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.analysis.connection import VARIABLE, DetectionConnection
from reelflow.exceptions import ConfigurationError
from reelflow_provider.hooks.detection import detection_connection

SECRET = "dk-s3cret"
SetConnection = Callable[..., None]

LOADED = """
import json, sys
import reelflow_provider.hooks.detection
print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture
def set_connection(monkeypatch: pytest.MonkeyPatch) -> SetConnection:
    """Set the connection ``detection_default`` by its fields."""

    def put(**fields: object) -> None:
        monkeypatch.setenv(VARIABLE, json.dumps({"conn_type": "http", **fields}))

    return put


def test_without_a_connection_there_is_none() -> None:
    assert detection_connection() is None


def test_address_key_and_extra_are_those_of_the_connection(set_connection: SetConnection) -> None:
    set_connection(host="detector", port=8443, password=SECRET, extra={"send": "url"})
    connection = detection_connection()
    assert connection == DetectionConnection("https://detector:8443", SECRET, sends_url=True)


def test_the_schema_may_say_http(set_connection: SetConnection) -> None:
    set_connection(host="127.0.0.1", schema="http", port=8000)
    assert detection_connection() == DetectionConnection("http://127.0.0.1:8000")


def test_a_connection_written_as_uri_is_read_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"http://:{SECRET}@detector:8000/http")
    assert detection_connection() == DetectionConnection("http://detector:8000", SECRET)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"conn_type": "tiktok", "host": "detector"}, "conn_type is not http"),
        ({}, "no host"),
        ({"host": "ftp://detector"}, "no address such as"),
        ({"host": f"user:{SECRET}@detector"}, "no address such as"),
        ({"host": "detector", "extra": f"{{{SECRET}"}, "extra is no JSON"),
        ({"host": "detector", "extra": {"send": "file"}}, 'is "file", neither "url" nor "bytes"'),
        ({"host": "detector", "login": "key"}, "has a login"),
    ],
)
def test_one_that_cannot_be_used_says_why_and_quotes_nothing(
    set_connection: SetConnection, fields: dict[str, object], words: str
) -> None:
    set_connection(password=SECRET, **fields)
    with pytest.raises(ConfigurationError, match=words) as caught:
        detection_connection()
    assert caught.value.code == "connection_malformed"
    assert SECRET not in str(caught.value)


def test_importing_it_loads_no_client(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert {name for name in loaded if name.startswith("reelflow.")} == set()
