"""``reelflow accounts connect``, with the simulator for TikTok and a thread for the browser."""

from __future__ import annotations

import json
import threading
import webbrowser
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from reelflow.domain.post import PostState
from reelflow.ledger import accounts
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.connect import OAUTH_CALLBACK_PATH
from reelflow.services.accounts.revocation import mark_revoked
from reelflow.services.workspace import Workspace
from tests.consent import TIMEOUT_S, decide
from tests.data_folder import data_folder
from tests.integration.simulator_process import Simulator
from tests.unit.reelflow.cli.conftest import Run

AURORA = "aurora.kitchen"


class Browser:
    """Opens each address in a thread, where a creator decides; keeps the pages it came to."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.pages: list[requests.Response] = []
        self.creator = AURORA
        self.decision = "authorize"
        self.leave_out = ""
        self._threads: list[threading.Thread] = []

    def open(self, url: str) -> bool:
        self.opened.append(url)
        thread = threading.Thread(target=self._visit, args=(url,))
        self._threads.append(thread)
        thread.start()
        return True

    def _visit(self, url: str) -> None:
        assert requests.get(url, timeout=TIMEOUT_S).status_code == 200
        back = decide(url, self.creator, decision=self.decision, leave_out=self.leave_out)
        self.pages.append(requests.get(back, timeout=TIMEOUT_S))

    def page(self) -> requests.Response:
        for thread in self._threads:
            thread.join(TIMEOUT_S)
        return self.pages[-1]


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    browser = Browser()
    monkeypatch.setattr(webbrowser, "open", browser.open)
    monkeypatch.setenv("DISPLAY", ":0")
    yield browser
    for thread in browser._threads:
        thread.join(TIMEOUT_S)


@pytest.fixture
def app(run: Run, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"conn_type": "tiktok", "host": simulator.api, "login": simulator.client_key}
    fields["password"] = simulator.client_secret
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", json.dumps(fields))


def stored(workspace: Workspace, name: str = "acme") -> Account:
    with workspace.ledger.read() as session:
        return accounts.by_name(session, name)


def secrets_of(workspace: Workspace, simulator: Simulator) -> list[str]:
    account, cipher = stored(workspace), workspace.ledger.cipher
    refresh = accounts.refresh_token(account, cipher)
    assert refresh is not None
    return [accounts.access_token(account, cipher), refresh, simulator.client_secret]


@pytest.mark.usefixtures("app")
def test_an_account_is_connected_by_its_creators_consent(
    run: Run, workspace: Workspace, simulator: Simulator, browser: Browser
) -> None:
    result = run("accounts", "connect", "acme", "--inbox-privacy", "self_only")
    assert result.exit_code == 0, result.stderr
    assert browser.opened[0] in result.stdout
    assert f"Account acme (@{AURORA}) is connected." in result.stdout
    assert f"Put its files into {data_folder(workspace).inbox / 'acme'}" in result.stdout
    page = browser.page()
    assert page.status_code == 200
    assert f"@{AURORA}" not in result.stderr
    assert "is connected to Reelflow as acme. You can close this page." in page.text
    account = stored(workspace)
    assert (account.username, account.inbox_privacy_level) == (AURORA, "SELF_ONLY")
    for secret in secrets_of(workspace, simulator):
        assert secret not in result.output + page.text


@pytest.mark.usefixtures("app")
def test_connecting_again_lets_the_posts_go_that_were_held(
    run: Run,
    workspace: Workspace,
    browser: Browser,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
) -> None:
    run("accounts", "connect", "acme", "--inbox-privacy", "self_only")
    post = make_post(stored(workspace))
    mark_revoked(workspace, stored(workspace).id, why="the creator left", actor="tests")
    result = run("accounts", "connect", "acme")
    assert f"Posts that had waited for it go on: {post.id}" in result.stdout
    assert read_post(post.id).state is PostState.READY


@pytest.mark.usefixtures("app")
def test_a_creator_who_refuses_is_told_in_the_browser_and_in_the_terminal(
    run: Run, workspace: Workspace, browser: Browser
) -> None:
    browser.decision = "cancel"
    result = run("accounts", "connect", "acme")
    assert result.exit_code == 2
    assert "did not consent" in result.stderr
    page = browser.page()
    assert (page.status_code, "did not consent" in page.text) == (400, True)
    with workspace.ledger.read() as session:
        assert list(accounts.list_all(session)) == []


@pytest.mark.usefixtures("app")
def test_a_scope_without_which_nothing_is_posted_is_named(run: Run, browser: Browser) -> None:
    browser.leave_out = "video.publish"
    result = run("accounts", "connect", "acme")
    assert "Not granted: video.publish (direct posts)." in result.stdout


@pytest.mark.usefixtures("app")
def test_only_the_scopes_that_are_named_are_asked_for(
    run: Run, workspace: Workspace, browser: Browser
) -> None:
    result = run("accounts", "connect", "acme", "--scopes", "video.upload, user.info.basic")
    assert result.exit_code == 0, result.stderr
    assert accounts.granted_scopes(stored(workspace)) == {"video.upload", "user.info.basic"}


@pytest.mark.usefixtures("app")
def test_another_creator_under_a_taken_name_is_refused(run: Run, browser: Browser) -> None:
    run("accounts", "connect", "acme")
    browser.creator = "north.trail"
    result = run("accounts", "connect", "acme")
    assert result.exit_code == 2
    assert "'acme' belongs to another TikTok account" in result.stderr
    assert "belongs to another TikTok account" in browser.page().text


@pytest.mark.usefixtures("app")
def test_a_known_creator_under_anothers_name_keeps_theirs_and_is_told_so(
    run: Run, workspace: Workspace, browser: Browser
) -> None:
    run("accounts", "connect", "acme")
    browser.creator = "north.trail"
    run("accounts", "connect", "north")
    result = run("accounts", "connect", "acme")
    assert result.exit_code == 0, result.stderr
    assert f"Let the creator of acme (@{AURORA}) open this address" in result.stdout
    assert "Account north (@north.trail) is connected." in result.stdout
    assert "It keeps its name: acme is another TikTok account" in result.stdout
    assert f"Put its files into {data_folder(workspace).inbox / 'north'}" in result.stdout
    assert "is connected to Reelflow as north" in browser.page().text


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("desktop", [True, False])
def test_no_browser_is_opened_where_none_is_wanted_or_none_would_have_a_window(
    run: Run, browser: Browser, monkeypatch: pytest.MonkeyPatch, desktop: bool
) -> None:
    if not desktop:
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
            monkeypatch.delenv(name, raising=False)
    options = ["--no-browser"] if desktop else []
    result = run("accounts", "connect", "acme", "--timeout-s", 1, *options)
    assert result.exit_code == 2
    assert "no answer of TikTok's consent page came" in result.stderr
    assert "/v2/auth/authorize/?client_key=" in result.stdout
    assert browser.opened == []


def test_without_the_connection_it_says_what_to_set(run: Run) -> None:
    result = run("accounts", "connect", "acme")
    assert result.exit_code == 2
    assert "AIRFLOW_CONN_TIKTOK_APP is not set" in result.stderr


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["../acme"], "cannot be a folder"),
        (["acme", "--scopes", " , "], "is no list of scopes"),
    ],
)
def test_what_cannot_work_is_said_before_a_browser_opens(
    run: Run, browser: Browser, options: list[str], said: str
) -> None:
    result = run("accounts", "connect", *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert browser.opened == []


@pytest.mark.usefixtures("app")
def test_on_the_way_over_the_web_the_address_is_printed_and_nobody_waits(
    run: Run, browser: Browser, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_PUBLIC_URL", "https://media.acme.example")
    result = run("accounts", "connect", "acme", "--web")
    assert result.exit_code == 0, result.stderr
    (url,) = (line for line in result.stdout.splitlines() if line.startswith("http"))
    query = parse_qs(urlsplit(url).query)
    assert query["redirect_uri"] == [f"https://media.acme.example{OAUTH_CALLBACK_PATH}"]
    assert browser.opened == []
    with workspace.ledger.read() as session:
        assert accounts.list_all(session) == []


@pytest.mark.usefixtures("app")
def test_on_the_way_over_the_web_a_public_address_is_needed(run: Run) -> None:
    result = run("accounts", "connect", "acme", "--web")
    assert result.exit_code == 2
    assert "set it to the https address" in result.stderr
