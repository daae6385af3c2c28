import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.cli.findings import Finding, Status
from reelflow.cli.web_checks import check_public_url, check_webhook_secret
from reelflow.domain.post import PostKind, PostState
from reelflow.domain.publication import MediaSource
from reelflow.ledger import accounts
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from reelflow.tiktok_app_variable import VARIABLE
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http

OK, WARNING, PROBLEM = Status.OK, Status.WARNING, Status.PROBLEM
HEALTH = json.dumps({"status": "ok", "version": "1", "checks": {}}).encode()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def only(findings: object) -> Finding:
    (finding,) = findings  # type: ignore[misc]
    return finding


def test_without_photos_and_pulls_no_public_address_is_needed(
    workspace: Workspace, settings: Settings, account: Account
) -> None:
    assert only(check_public_url(settings)).status is OK


def test_photo_posts_that_wait_need_a_public_address(
    settings: Settings, account: Account, make_post: Callable[..., Post]
) -> None:
    make_post(account, kind=PostKind.PHOTO)
    make_post(account, kind=PostKind.PHOTO, state=PostState.PUBLISHED)
    finding = only(check_public_url(settings))
    assert (finding.status, "1 photo posts" in finding.message) == (PROBLEM, True)
    assert "REELFLOW_PUBLIC_URL" in finding.message
    assert finding.fix is not None


def test_accounts_whose_videos_are_fetched_need_a_public_address(
    workspace: Workspace, settings: Settings, account: Account
) -> None:
    with workspace.ledger.write() as session:
        accounts.get(session, account.id).video_source = MediaSource.PULL_FROM_URL
    finding = only(check_public_url(settings))
    assert (finding.status, "the videos of acme" in finding.message) == (PROBLEM, True)


def test_looking_for_a_ledger_makes_none(settings: Settings, tmp_path: Path) -> None:
    assert only(check_public_url(settings)).status is OK
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (http(200, HEALTH), OK),
        (http(503, HEALTH), OK),  # it is Reelflow, and its health is told there
        (http(200, b"<html>"), WARNING),
        (http(404, b"{}"), WARNING),
        (http(301, HEALTH, Location="https://elsewhere.example/"), WARNING),
    ],
)
def test_the_public_address_is_asked_whether_reelflow_answers_there(
    server: ScriptedServer, answer: bytes, status: Status
) -> None:
    server.answers.append(answer)
    settings = Settings.model_construct(public_url=f"http://{server.address}/base")
    assert only(check_public_url(settings)).status is status
    assert server.received[0].line == "GET /base/reelflow/api/v1/health HTTP/1.1"


def test_a_public_address_at_which_nothing_answers_is_a_warning(closed_url: str) -> None:
    finding = only(check_public_url(Settings.model_construct(public_url=closed_url)))
    assert (finding.status, "ConnectionError" in finding.message) == (WARNING, True)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"login": "key", "password": "very-secret"}, OK),
        ({"login": "key"}, WARNING),
        ({"password": "very-secret"}, WARNING),
    ],
)
def test_webhooks_need_the_key_and_the_secret(fields: dict[str, str], status: Status) -> None:
    stored = json.dumps({"conn_type": "tiktok", "host": "open.tiktokapis.com", **fields})
    finding = only(check_webhook_secret({VARIABLE: stored}))
    assert finding.status is status
    assert "very-secret" not in finding.message


@pytest.mark.parametrize("stored", ["", "{", '{"conn_type": "http"}'])
def test_a_connection_that_cannot_be_read_is_told_elsewhere(stored: str) -> None:
    assert list(check_webhook_secret({VARIABLE: stored})) == []
