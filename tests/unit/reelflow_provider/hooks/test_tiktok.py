"""TikTokHook: from a connection to a client, and a test button that tells TikTok from others."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.models import Connection
from airflow.sdk import BaseHook

from reelflow.exceptions import ConfigurationError, TikTokAuthError, TokenGrantRefusedError
from reelflow.settings import Settings
from reelflow.tiktok.aclient import AsyncStatusClient
from reelflow.tiktok_app import TikTokApp
from reelflow_provider.hooks.tiktok import TikTokHook
from tests.integration.simulator_process import Simulator
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http, ok
from tests.unit.reelflow_provider.conftest import Connect

STATUS = "/v2/post/publish/status/fetch/"

LOADED_BY_HOOK = """
import json, sys
import reelflow_provider.hooks.tiktok
print(json.dumps(sorted(sys.modules)))
"""


def open_client() -> None:
    with TikTokHook().get_conn() as client:
        client.fetch_status("act.nobody", "v_pub_file~v2-1.0")


async def open_async_client() -> None:
    app = await TikTokHook().aget_app()
    async with AsyncStatusClient(app.host) as client:
        await client.fetch_status("act.nobody", "v_pub_file~v2-1.0")


#: Both ways from the connection to a client.
OPENERS = [
    pytest.param(open_client, id="blocking"),
    pytest.param(lambda: asyncio.run(open_async_client()), id="async"),
]


@pytest.mark.parametrize("open_it", OPENERS)
def test_the_host_of_the_connection_is_called(
    open_it: Callable[[], None], connect: Connect, server: ScriptedServer
) -> None:
    connect(f"http://{server.address}")
    error = {"code": "access_token_invalid", "message": "", "log_id": "1"}
    server.answers = [http(401, json.dumps({"error": error}).encode())]
    with pytest.raises(TikTokAuthError):
        open_it()
    assert server.received[0].line == f"POST {STATUS} HTTP/1.1"


@pytest.mark.parametrize("open_it", OPENERS)
def test_a_missing_connection_says_how_to_add_it(open_it: Callable[[], None]) -> None:
    with pytest.raises(ConfigurationError, match="'tiktok_app' does not exist: add one") as caught:
        open_it()
    assert caught.value.code == "connection_missing"
    assert "AIRFLOW_CONN_TIKTOK_APP" in str(caught.value)


@pytest.mark.parametrize("open_it", OPENERS)
def test_a_connection_of_another_type_says_which_to_choose(
    open_it: Callable[[], None], connect: Connect
) -> None:
    connect("open.tiktokapis.com", conn_type="http")
    with pytest.raises(ConfigurationError, match="type 'http', not 'tiktok'") as caught:
        open_it()
    assert caught.value.code == "connection_type"


@pytest.mark.parametrize("host", [None, ""])
@pytest.mark.parametrize("open_it", OPENERS)
def test_a_connection_without_a_host_says_which_to_set(
    open_it: Callable[[], None], connect: Connect, host: str | None
) -> None:
    connect(host)
    with pytest.raises(ConfigurationError, match=r"set open\.tiktokapis\.com") as caught:
        open_it()
    assert caught.value.code == "connection_host"


@pytest.mark.parametrize("open_it", OPENERS)
def test_a_port_beside_the_host_is_no_silent_loss(
    open_it: Callable[[], None], connect: Connect
) -> None:
    connect("http://127.0.0.1", port=8000)
    with pytest.raises(ConfigurationError, match=r"into the host, http://127\.0\.0\.1:8000"):
        open_it()


def test_a_host_that_would_send_tokens_in_the_clear_is_refused(connect: Connect) -> None:
    connect("http://tiktok.example.com")
    with pytest.raises(ConfigurationError, match="unencrypted"):
        TikTokHook().get_conn()


def test_the_app_of_the_connection_renews_tokens(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"conn_type": "tiktok", "host": f"http://{server.address}"}
    fields |= {"login": "the-key", "password": "the-secret"}
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", json.dumps(fields))
    server.answers = [http(400, b'{"error": "invalid_grant"}')]
    oauth = TikTokHook().get_app().open_oauth(Settings())
    with oauth, pytest.raises(TokenGrantRefusedError):
        oauth.refresh_token("rft.old")
    assert b"client_key=the-key&client_secret=the-secret" in server.received[0].body


@pytest.mark.parametrize("missing", ["login", "password"])
def test_a_connection_without_key_or_secret_renews_nothing(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"conn_type": "tiktok", "host": "open.tiktokapis.com", "login": "k", "password": "s"}
    del fields[missing]
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", json.dumps(fields))
    assert not TikTokHook().get_app().has_secret


def test_triggers_are_told_the_app_of_the_connection_and_never_show_its_secret(
    connect: Connect,
) -> None:
    connect("open.tiktokapis.com", login="a-key", password="a-secret")
    app = asyncio.run(TikTokHook().aget_app())
    assert app == TikTokApp("open.tiktokapis.com", "a-key", "a-secret")
    assert "a-secret" not in repr(app)


def test_another_connection_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER_APP", '{"conn_type": "tiktok"}')
    with pytest.raises(ConfigurationError, match="'other_app' has no host"):
        TikTokHook("other_app").get_conn()


def test_airflow_makes_the_hook_from_the_connection(connect: Connect) -> None:
    connect("open.tiktokapis.com")
    hook = BaseHook.get_hook("tiktok_app")
    assert isinstance(hook, TikTokHook)
    assert hook.tiktok_conn_id == "tiktok_app"


def test_the_connection_test_is_good_where_tiktok_answers(tiktok: Simulator) -> None:
    assert TikTokHook().test_connection() == (
        True,
        "TikTok's API answers. The tokens of accounts are in the ledger.",
    )


def test_the_button_of_the_form_tests_what_it_was_filled_with(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Airflow's API server writes the form into a variable, as a URI, and asks the hook.
    form = Connection(  # noqa: AIR311 - this class is the API server's
        conn_id="form", conn_type="tiktok", host=simulator.api, login="a/b@c", password="d:e%f"
    )
    monkeypatch.setenv("AIRFLOW_CONN_FORM", form.get_uri())
    good, message = form.test_connection()
    assert good, message


def test_the_connection_test_fails_clearly_when_nothing_listens(
    connect: Connect, closed_url: str
) -> None:
    connect(closed_url)
    good, message = TikTokHook().test_connection()
    assert not good
    assert f"No connection to {closed_url.removeprefix('http://')} could be made" in message
    assert "that the host is right and running" in message


def test_the_connection_test_fails_clearly_without_a_connection() -> None:
    good, message = TikTokHook().test_connection()
    assert not good
    assert "'tiktok_app' does not exist" in message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http(401, b"<html>password, please</html>"), "that is not TikTok's API"),
        (http(404, b"<html>no such page</html>"), "that is not TikTok's API"),
        (http(200, b"<html>hello</html>"), "cannot be understood"),
        (http(302, Location="https://example.com/"), "that is not TikTok's API"),
        (ok({"status": "PUBLISH_COMPLETE"}), "The host accepts any token"),
    ],
    ids=["401", "404", "a page", "a redirect", "a yes-sayer"],
)
def test_the_connection_test_fails_clearly_where_another_answers(
    connect: Connect, server: ScriptedServer, answer: bytes, said: str
) -> None:
    connect(f"http://{server.address}")
    server.answers = [answer]
    good, message = TikTokHook().test_connection()
    assert not good
    assert said in message


def test_importing_the_hook_loads_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED_BY_HOOK],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert {"fastapi", "boto3", "PIL"}.isdisjoint(loaded)
    # httpx, requests and SQLAlchemy come with Airflow itself; the modules that use them wait.
    ours = {name for name in loaded if name.startswith("reelflow.")}
    assert ours == {"reelflow.exceptions", "reelflow.tiktok_app"}
