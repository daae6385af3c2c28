from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import select

from reelflow.api.app import assemble_app
from reelflow.api.platform import Platform
from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Post
from reelflow.ledger.platform_models import WebhookEvent
from reelflow.services.workspace import Workspace
from reelflow.tiktok.webhooks import BODY_MAX_BYTES
from tests.database_faults import impatient
from tests.factories import Clock, read_post
from tests.token_server import CLIENT_KEY, CLIENT_SECRET
from tests.unit.reelflow.api.conftest import Web
from tests.unit.reelflow.services.publication_factory import make_publication

PATH = "/webhooks/tiktok"


class TikTok:
    """Signs bodies and posts them."""

    def __init__(self, web: Web, clock: Clock) -> None:
        self._web = web
        self._clock = clock

    def sign(self, body: bytes, *, secret: str = CLIENT_SECRET, age_s: int = 0) -> str:
        second = str(int(self._clock().timestamp()) - age_s)
        digest = hmac.new(secret.encode(), second.encode() + b"." + body, hashlib.sha256)
        return f"t={second},s={digest.hexdigest()}"

    def post(self, body: bytes, signature: str | None = None) -> Response:
        headers = {"TikTok-Signature": self.sign(body) if signature is None else signature}
        return self._web.post(PATH, content=body, headers=headers)


@pytest.fixture
def tiktok(web: Web, clock: Clock) -> TikTok:
    return TikTok(web, clock)


@pytest.fixture
def post(workspace: Workspace, account: Account, make_post: Callable[..., Post]) -> Post:
    """A post that TikTok processes as publication ``p1``."""
    made = make_post(account, state=PostState.PROCESSING)
    make_publication(workspace, made, publish_id="p1")
    return made


def event(clock: Clock, **fields: Any) -> bytes:
    envelope = {
        "client_key": CLIENT_KEY,
        "event": "post.publish.complete",
        "create_time": int(clock().timestamp()),
        "user_openid": "open-acme",
        "content": json.dumps({"publish_id": "p1"}),
        **fields,
    }
    return json.dumps(envelope).encode()


def kept(workspace: Workspace) -> int:
    with workspace.ledger.read() as session:
        return len(session.scalars(select(WebhookEvent)).all())


def test_what_tiktok_signed_is_kept_done_and_answered_with_200(
    workspace: Workspace, tiktok: TikTok, clock: Clock, post: Post
) -> None:
    for _ in range(2):
        assert tiktok.post(event(clock)).status_code == 200
    assert read_post(workspace, post.id).state is PostState.PUBLISHED_NO_LINK
    assert kept(workspace) == 1


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("secret", "webhook_forged"),
        ("body", "webhook_forged"),
        ("absent", "webhook_malformed"),
        ("garbage", "webhook_malformed"),
        ("stale", "webhook_stale"),
        ("future", "webhook_stale"),
    ],
)
def test_what_tiktok_did_not_just_sign_is_refused_and_changes_nothing(
    workspace: Workspace,
    tiktok: TikTok,
    clock: Clock,
    post: Post,
    caplog: pytest.LogCaptureFixture,
    trouble: str,
    reason: str,
) -> None:
    body = event(clock)
    signature = {
        "secret": tiktok.sign(body, secret="another"),
        "body": tiktok.sign(body + b" "),
        "absent": "",
        "garbage": "t=1,s=\x7f\"'",
        "stale": tiktok.sign(body, age_s=301),
        "future": tiktok.sign(body, age_s=-301),
    }[trouble]
    answer = tiktok.post(body, signature)
    assert (answer.status_code, answer.json()["reason"]) == (403, reason)
    assert f"The webhook is refused as {reason.removeprefix('webhook_')}" in caplog.text
    assert "It came from 127.0.0.1." in caplog.text
    assert CLIENT_SECRET not in answer.text + caplog.text
    assert read_post(workspace, post.id).state is PostState.PROCESSING
    assert kept(workspace) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"event": 5}',
        b'{"client_key": "k", "event": "post.publish.complete", "content": {}}',
    ],
)
def test_what_tiktok_signed_and_nobody_can_read_is_not_asked_for_again(
    workspace: Workspace, tiktok: TikTok, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    answer = tiktok.post(body)
    assert (answer.status_code, answer.json()) == (200, {"status": "ignored"})
    assert "answered with 200 and left" in caplog.text
    assert kept(workspace) == 0


def test_an_event_for_another_app_is_refused(
    workspace: Workspace, tiktok: TikTok, clock: Clock, post: Post
) -> None:
    answer = tiktok.post(event(clock, client_key="another"))
    assert (answer.status_code, answer.json()["reason"]) == (403, "webhook_other_app")
    assert kept(workspace) == 0


def test_someone_elses_publish_id_changes_nothing_and_is_not_asked_for_again(
    workspace: Workspace, tiktok: TikTok, clock: Clock, post: Post
) -> None:
    assert tiktok.post(event(clock, user_openid="open-other")).status_code == 200
    assert read_post(workspace, post.id).state is PostState.PROCESSING


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_huge_body_is_refused_before_it_is_read(
    web: Web, tiktok: TikTok, is_declared: bool
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield bytes(1024)

    content = bytes(BODY_MAX_BYTES + 1) if is_declared else parts()
    answer = web.post(PATH, content=content, headers={"TikTok-Signature": "t=1,s=" + 64 * "0"})
    assert (answer.status_code, answer.json()["reason"]) == (413, "body_too_large")


def test_a_ledger_that_is_locked_lets_tiktok_send_again(
    workspace: Workspace, platform: Platform, clock: Clock, post: Post
) -> None:
    web = Web(assemble_app(impatient(workspace), platform, None))
    with workspace.ledger.write():
        answer = TikTok(web, clock).post(event(clock))
    assert (answer.status_code, answer.json()["reason"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "reelflow.db" not in answer.text
    assert kept(workspace) == 0


@pytest.mark.parametrize("is_known", [True, False])
def test_without_the_secret_nothing_can_be_believed(
    open_web: Callable[..., Web], platform: Platform, clock: Clock, is_known: bool
) -> None:
    web = open_web(replace(platform, client_secret="") if is_known else None)
    body = event(clock)
    answer = TikTok(web, clock).post(body, TikTok(web, clock).sign(body, secret=""))
    assert (answer.status_code, answer.json()["reason"]) == (503, "webhook_secret_missing")


def test_the_platform_does_not_show_its_secret(platform: Platform) -> None:
    assert CLIENT_SECRET not in repr(platform)
