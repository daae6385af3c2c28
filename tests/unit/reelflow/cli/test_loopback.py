"""The server that the browser comes back to: one answer, known by its state, and nobody else."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import requests

from reelflow.browser_page import Page
from reelflow.cli.loopback import LoopbackReceiver, loopback_receiver
from reelflow.exceptions import ConfigurationError

STATE = "the-state"
GOOD = {"state": STATE, "code": "the-code"}
TIMEOUT_S = 30


def finish(receiver: LoopbackReceiver, work: Callable[[Mapping[str, str]], Any] = dict) -> Any:
    return receiver.finish(
        work, done=lambda result: Page("Done", f"It is {result}."), timeout_s=TIMEOUT_S
    )


def browse(receiver: LoopbackReceiver, **query: str) -> requests.Response:
    return requests.get(receiver.redirect_uri, params=query, timeout=TIMEOUT_S)


@pytest.fixture
def pool() -> Any:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_the_answer_is_given_to_the_work_and_its_page_to_the_browser(
    pool: ThreadPoolExecutor,
) -> None:
    with loopback_receiver() as receiver:
        receiver.expect(STATE)
        browser = pool.submit(browse, receiver, **GOOD, scopes="a,b")
        assert finish(receiver) == {**GOOD, "scopes": "a,b"}
        page = browser.result(TIMEOUT_S)
    assert page.status_code == 200
    assert "<h1>Done</h1>" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "query",
    [{}, {"code": "the-code"}, {"state": ""}, {"state": "guess"}, {"state": STATE + "x"}],
)
def test_who_does_not_know_the_state_gets_a_page_and_ends_nothing(
    pool: ThreadPoolExecutor, query: dict[str, str]
) -> None:
    with loopback_receiver() as receiver:
        receiver.expect(STATE)
        stranger = browse(receiver, **query)
        assert (stranger.status_code, "not the answer" in stranger.text) == (400, True)
        browser = pool.submit(browse, receiver, **GOOD)
        assert finish(receiver) == GOOD
        assert browser.result(TIMEOUT_S).status_code == 200


def test_before_a_state_is_expected_every_answer_is_a_strangers() -> None:
    with loopback_receiver() as receiver:
        assert browse(receiver, state="").status_code == 400


def test_a_second_answer_finds_the_first_one_taken(pool: ThreadPoolExecutor) -> None:
    with loopback_receiver() as receiver:
        receiver.expect(STATE)
        browsers: list[Future[requests.Response]] = []

        def work(query: Mapping[str, str]) -> str:
            browsers.append(pool.submit(browse, receiver, **GOOD, again="yes"))
            return browsers[-1].result(TIMEOUT_S).text

        first = pool.submit(browse, receiver, **GOOD)
        assert "taken already" in finish(receiver, work)
        assert first.result(TIMEOUT_S).status_code == 200


def test_an_error_of_the_work_is_shown_and_raised(pool: ThreadPoolExecutor) -> None:
    def work(query: Mapping[str, str]) -> str:
        raise ConfigurationError("<b>no</b> & \x1b[2J")

    with loopback_receiver() as receiver:
        receiver.expect(STATE)
        browser = pool.submit(browse, receiver, **GOOD)
        with pytest.raises(ConfigurationError, match="no"):
            finish(receiver, work)
        page = browser.result(TIMEOUT_S)
    assert page.status_code == 400
    assert "&lt;b&gt;no&lt;/b&gt; &amp; \N{REPLACEMENT CHARACTER}[2J" in page.text


def test_a_mistake_of_ours_still_ends_the_browsers_waiting(pool: ThreadPoolExecutor) -> None:
    def work(query: Mapping[str, str]) -> str:
        raise ZeroDivisionError

    with loopback_receiver() as receiver:
        receiver.expect(STATE)
        browser = pool.submit(browse, receiver, **GOOD)
        with pytest.raises(ZeroDivisionError):
            finish(receiver, work)
        assert browser.result(TIMEOUT_S).status_code == 500


def test_nobody_coming_in_time_says_what_to_check() -> None:
    with loopback_receiver() as receiver:
        receiver.expect(STATE)
        with pytest.raises(ConfigurationError, match=r"add http://127\.0\.0\.1:\*/callback/") as no:
            receiver.finish(dict, done=lambda _: Page("", ""), timeout_s=0.01)
    assert receiver.redirect_uri in str(no.value)
    assert no.value.code == "consent_timeout"


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/callback/../x", "/callbackx/"])
def test_nothing_lies_at_other_paths(path: str) -> None:
    with loopback_receiver() as receiver:
        receiver.expect(STATE)
        base = receiver.redirect_uri.removesuffix("/callback/")
        assert requests.get(base + path, params=GOOD, timeout=TIMEOUT_S).status_code == 404


def test_an_idle_connection_keeps_nobody_waiting(pool: ThreadPoolExecutor) -> None:
    with loopback_receiver() as receiver:
        receiver.expect(STATE)
        port = int(receiver.redirect_uri.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port)):  # as browsers open ahead of need
            browser = pool.submit(browse, receiver, **GOOD)
            assert finish(receiver) == GOOD
            assert browser.result(TIMEOUT_S).status_code == 200


def test_a_port_that_is_taken_says_which_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=f"port {port} of 127.0.0.1 cannot be opened"),
            loopback_receiver(port),
        ):
            raise AssertionError("the port was opened")


def test_a_browser_that_goes_away_leaves_the_work_done(pool: ThreadPoolExecutor) -> None:
    with loopback_receiver() as receiver:
        receiver.expect(STATE)
        port = int(receiver.redirect_uri.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as browser:
            browser.sendall(f"GET /callback/?state={STATE} HTTP/1.0\r\n\r\n".encode())
        assert finish(receiver) == {"state": STATE}


def test_the_code_is_not_logged(
    pool: ThreadPoolExecutor, capfd: pytest.CaptureFixture[str]
) -> None:
    with loopback_receiver() as receiver:
        receiver.expect(STATE)
        browser = pool.submit(browse, receiver, **GOOD)
        finish(receiver)
        browser.result(TIMEOUT_S)
        browse(receiver, state="guess", code="the-code")
    assert "the-code" not in "".join(capfd.readouterr())
