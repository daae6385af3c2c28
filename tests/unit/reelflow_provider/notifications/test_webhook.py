"""Where a connection of type ``http`` leads, however it was written down."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import BaseHook

from reelflow_provider.notifications.webhook import DEFAULT_CONNECTION, address_of

VARIABLE = f"AIRFLOW_CONN_{DEFAULT_CONNECTION.upper()}"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ('{"conn_type": "http", "host": "https://h.example/a/b"}', "https://h.example/a/b"),
        ('{"conn_type": "http", "host": "h.example"}', "https://h.example/"),
        (
            json.dumps({"conn_type": "http", "schema": "http", "host": "127.0.0.1", "port": 80}),
            "http://127.0.0.1:80/",
        ),
        ("https://h.example:8443/a/b", "https://h.example:8443/a/b"),
        ("http://127.0.0.1:8000/hook", "http://127.0.0.1:8000/hook"),
    ],
)
def test_it_is_the_address_that_whoever_wrote_it_meant(
    written: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, written)
    assert address_of(BaseHook.get_connection(DEFAULT_CONNECTION)) == address
