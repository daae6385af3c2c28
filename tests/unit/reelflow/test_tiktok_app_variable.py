import json
import traceback
from typing import Any

import pytest

from reelflow.exceptions import ConfigurationError
from reelflow.tiktok_app import TikTokApp
from reelflow.tiktok_app_variable import VARIABLE, read_tiktok_app

SECRET = "very-secret-1234"


def read(stored: str) -> TikTokApp | None:
    return read_tiktok_app({VARIABLE: stored})


def as_json(**fields: Any) -> str:
    return json.dumps({"conn_type": "tiktok", "login": "key", "password": SECRET, **fields})


@pytest.mark.parametrize(
    "stored",
    [
        as_json(host="open.tiktokapis.com"),
        f"tiktok://key:{SECRET}@open.tiktokapis.com",
        f"tiktok://key:{SECRET}@http%3A%2F%2F127.0.0.1%3A8000",
    ],
)
def test_the_app_has_its_key_and_its_secret_which_never_shows(stored: str) -> None:
    app = read(stored)
    assert app is not None
    assert (app.client_key, app.client_secret) == ("key", SECRET)
    assert SECRET not in repr(app)


def test_quoted_characters_of_key_and_secret_are_read_as_airflow_reads_them() -> None:
    assert read("tiktok://a%2Fb%40c:d%3Ae%25f@open.tiktokapis.com") == TikTokApp(
        "open.tiktokapis.com", "a/b@c", "d:e%f"
    )


@pytest.mark.parametrize("environment", [{}, {VARIABLE: ""}, {VARIABLE: "  "}])
def test_without_the_variable_there_is_no_connection(environment: dict[str, str]) -> None:
    assert read_tiktok_app(environment) is None


@pytest.mark.parametrize(
    ("stored", "host", "port"),
    [
        (as_json(host="open.tiktokapis.com"), "open.tiktokapis.com", None),
        (f"  {as_json(host='http://127.0.0.1:8000')}\n", "http://127.0.0.1:8000", None),
        (as_json(host="127.0.0.1", port="8000"), "127.0.0.1", 8000),
        (f"tiktok://key:{SECRET}@open.tiktokapis.com", "open.tiktokapis.com", None),
        (f"tiktok://key:{SECRET}@open.tiktokapis.com/?a=b", "open.tiktokapis.com", None),
        (f"tiktok://key:{SECRET}@http%3A%2F%2F127.0.0.1%3A8000", "http://127.0.0.1:8000", None),
        (f"tiktok://http://key:{SECRET}@127.0.0.1:8000", "http://127.0.0.1", 8000),
        ("tiktok://open.tiktokapis.com", "open.tiktokapis.com", None),
    ],
)
def test_both_forms_are_read_as_airflow_reads_them(
    stored: str, host: str, port: int | None
) -> None:
    app = read(stored)
    assert app is not None
    assert (app.host, app.port) == (host, port)


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (as_json(conn_type="http", host="x"), "a connection of type 'http', not 'tiktok'"),
        (f"http://key:{SECRET}@x", "a connection of type 'http', not 'tiktok'"),
        (json.dumps({"host": "x", "password": SECRET}), "not 'tiktok'"),
        (as_json(), "has no host"),
        (as_json(host=None), "has no host"),
        (f"tiktok://key:{SECRET}@", "has no host"),
        ('{"password": "' + SECRET, "cannot be read: write it as JSON"),
        (as_json(host="x", port=f"{SECRET}"), "cannot be read"),
        (f"tiktok://key:{SECRET}@host:{SECRET}", "cannot be read"),
        (f"tiktok://key:{SECRET}@[host", "cannot be read"),
        (as_json(host="x", port=[SECRET]), "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_explained_without_the_secret(stored: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(stored)
    assert said in str(refused.value)
    assert SECRET not in "".join(traceback.format_exception(refused.value))
