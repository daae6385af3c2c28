"""Telling another program: signed, bounded, to one address, which is never shown."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

import pytest

from reelflow.exceptions import ConfigurationError, ReelflowError, ServerUnavailableError
from reelflow.http.webhook import SIGNATURE_HEADER, Webhook
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http

MESSAGE = {"event": "post.failed", "text": "post 7 (früh.mp4) is FAILED"}


def webhook(server: ScriptedServer, secret: str = "", **how: float) -> Webhook:
    return Webhook(f"http://{server.address}/hooks/T0-secret", secret, **how)  # type: ignore[arg-type]


def test_a_message_is_one_post_of_json(server: ScriptedServer) -> None:
    server.answers = [http(204)]
    webhook(server).send(MESSAGE)
    (received,) = server.received
    assert received.line == "POST /hooks/T0-secret HTTP/1.1"
    assert received.headers["content-type"] == "application/json"
    assert json.loads(received.body) == MESSAGE
    assert SIGNATURE_HEADER.lower() not in received.headers


def test_a_secret_signs_the_time_and_the_very_body(server: ScriptedServer) -> None:
    server.answers = [http(200)]
    Webhook(f"http://{server.address}/", "the secret", now_s=lambda: 1_700_000_000.9).send(MESSAGE)
    (received,) = server.received
    signed = b"1700000000." + received.body
    digest = hmac.new(b"the secret", signed, hashlib.sha256).hexdigest()
    assert received.headers[SIGNATURE_HEADER.lower()] == f"t=1700000000,s={digest}"


@pytest.mark.parametrize(
    "answer", [http(500), http(404), http(302, Location="http://127.0.0.1:1/elsewhere"), b"no HTTP"]
)
def test_what_is_not_taken_is_an_error_that_names_the_host_alone(
    server: ScriptedServer, answer: bytes
) -> None:
    server.answers, server.is_cutting = [answer], True
    with pytest.raises(ServerUnavailableError) as raised:
        webhook(server, "the secret").send(MESSAGE)
    assert len(server.received) == 1  # a redirect leads nowhere
    assert "127.0.0.1" in str(raised.value)
    for secret in ("T0-secret", "the secret", "früh"):
        assert secret not in repr(raised.value.__dict__) + str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_told(
    server: ScriptedServer,
) -> None:
    server.answers = [b""]
    started = time.monotonic()
    with pytest.raises(ServerUnavailableError, match="ReadTimeout"):
        webhook(server, timeout_s=0.2).send(MESSAGE)
    assert time.monotonic() - started < 5


def test_an_answer_without_an_end_is_not_read(server: ScriptedServer) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nand so on"]
    webhook(server).send(MESSAGE)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/T0-secret",
        "https://user:T0-secret@hooks.example.com/",
        "ftp://hooks.example.com/T0-secret",
        "hooks.example.com/T0-secret",
        "",
    ],
)
def test_an_address_that_cannot_be_used_is_told_without_its_secrets(url: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Webhook(url).send(MESSAGE)
    assert isinstance(raised.value, ReelflowError)
    assert "T0-secret" not in str(raised.value)
    assert "T0-secret" not in repr(Webhook(url))
