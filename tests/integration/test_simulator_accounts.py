"""Login, profile, videos and webhooks of the simulator, over real connections."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.integration.simulator_process import DEADLINE_S, Simulator, wait_until

VERIFIER = "0123456789abcdefghijklmnopqrstuvwxyz-._~ABCDEF"


class Receiver(ThreadingHTTPServer):
    """A web server of the app's own: keeps every request, answers what it is told to, then 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append((self.path, headers, body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815 - named by http.server

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join(DEADLINE_S)
    server.server_close()


class ConsentForm(HTMLParser):
    """What a browser would send after a click on Authorize."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        is_clicked = given.get("name") == "decision" and given.get("value") == "authorize"
        if (tag == "input" and "checked" in given) or (tag == "button" and is_clicked):
            self.fields.append((given["name"] or "", given["value"] or ""))


def authorize_url(simulator: Simulator, receiver: Receiver, **changes: str) -> str:
    query = {
        "client_key": simulator.client_key,
        "response_type": "code",
        "scope": "user.info.basic,video.list,video.publish",
        "redirect_uri": f"{receiver.url}/callback/",
        "state": "state-1",
        "code_challenge": hashlib.sha256(VERIFIER.encode()).hexdigest(),
        "code_challenge_method": "S256",
        **changes,
    }
    url = requests.Request("GET", f"{simulator.api}/v2/auth/authorize/", params=query).prepare().url
    assert url is not None
    return url


def click_through(simulator: Simulator, receiver: Receiver) -> dict[str, str]:
    """Let a person authorize in a browser; return the callback's query."""
    with requests.Session() as browser:
        url = authorize_url(simulator, receiver)
        page = browser.get(url, timeout=DEADLINE_S)
        assert page.status_code == 200, page.text
        browser.post(url, data=ConsentForm(page.text).fields, timeout=DEADLINE_S)
    path, _, _ = receiver.received[-1]
    return {name: value for name, (value,) in parse_qs(urlsplit(path).query).items()}


def token_call(simulator: Simulator, **form: str) -> requests.Response:
    client = {"client_key": simulator.client_key, "client_secret": simulator.client_secret}
    url = f"{simulator.api}/v2/oauth/token/"
    return requests.post(url, data={**client, **form}, timeout=DEADLINE_S)


def exchange(simulator: Simulator, receiver: Receiver, code: str) -> dict[str, Any]:
    answer = token_call(
        simulator,
        grant_type="authorization_code",
        code=code,
        redirect_uri=f"{receiver.url}/callback/",
        code_verifier=VERIFIER,
    )
    return dict(answer.json())


def user_info(simulator: Simulator, access_token: str) -> dict[str, Any]:
    answer = requests.get(
        f"{simulator.api}/v2/user/info/?fields=open_id,display_name",
        headers={"Authorization": f"Bearer {access_token}"},
        timeout=DEADLINE_S,
    )
    return dict(answer.json())


def publish(simulator: Simulator, level: str = "PUBLIC_TO_EVERYONE") -> str:
    """Upload one byte as the first account; return the publish_id."""
    headers = {"Authorization": f"Bearer {simulator.accounts[0]['access_token']}"}
    body = {
        "post_info": {"privacy_level": level, "title": "Sunset"},
        "source_info": {
            "source": "FILE_UPLOAD",
            "video_size": 1,
            "chunk_size": 1,
            "total_chunk_count": 1,
        },
    }
    url = f"{simulator.api}/v2/post/publish/video/init/"
    task = requests.post(url, json=body, headers=headers, timeout=DEADLINE_S).json()["data"]
    chunk = {"Content-Type": "video/mp4", "Content-Range": "bytes 0-0/1"}
    put = requests.put(task["upload_url"], data=b"a", headers=chunk, timeout=DEADLINE_S)
    assert put.status_code == 201
    return str(task["publish_id"])


def test_a_person_logs_in_the_app_refreshes_and_revokes(
    simulator: Simulator, receiver: Receiver
) -> None:
    back = click_through(simulator, receiver)
    assert (back["state"], back["scopes"]) == (
        "state-1",
        "user.info.basic,video.list,video.publish",
    )
    first = exchange(simulator, receiver, back["code"])
    creator = simulator.accounts[0]
    assert first["open_id"] == creator["open_id"]
    user = user_info(simulator, first["access_token"])["data"]["user"]
    assert user == {"open_id": creator["open_id"], "display_name": "Aurora Kitchen"}

    second = token_call(
        simulator, grant_type="refresh_token", refresh_token=first["refresh_token"]
    ).json()
    assert user_info(simulator, first["access_token"])["error"]["code"] == "access_token_invalid"
    assert user_info(simulator, second["access_token"])["error"]["code"] == "ok"

    revoked = requests.post(
        f"{simulator.api}/v2/oauth/revoke/",
        data={
            "client_key": simulator.client_key,
            "client_secret": simulator.client_secret,
            "token": second["access_token"],
        },
        timeout=DEADLINE_S,
    )
    assert (revoked.status_code, revoked.content) == (200, b"")
    assert user_info(simulator, second["access_token"])["error"]["code"] == "access_token_invalid"


def test_a_refresh_whose_answer_is_lost_has_rotated(simulator: Simulator) -> None:
    refresh = {"grant_type": "refresh_token", "refresh_token": _first(simulator, "refresh_token")}
    simulator.fault("token", "drop", when="after")

    with pytest.raises(requests.ConnectionError):
        token_call(simulator, **refresh)

    assert token_call(simulator, **refresh).json()["error"] == "invalid_grant"


def test_a_refresh_that_never_arrived_has_not(simulator: Simulator) -> None:
    refresh = {"grant_type": "refresh_token", "refresh_token": _first(simulator, "refresh_token")}
    simulator.fault("token", "drop", when="before")

    with pytest.raises(requests.ConnectionError):
        token_call(simulator, **refresh)

    assert token_call(simulator, **refresh).json()["token_type"] == "Bearer"


def test_tokens_end_on_the_simulators_clock(simulator: Simulator, receiver: Receiver) -> None:
    back = click_through(simulator, receiver)
    tokens = exchange(simulator, receiver, back["code"])
    simulator.advance(86_400)

    assert user_info(simulator, tokens["access_token"])["error"]["code"] == "access_token_invalid"
    ready_line = _first(simulator, "access_token")
    assert user_info(simulator, ready_line)["error"]["code"] == "access_token_invalid"
    simulator.reset()
    assert user_info(simulator, ready_line)["error"]["code"] == "ok"


def test_an_option_lets_even_the_ready_lines_tokens_end() -> None:
    simulator = Simulator("--token-lifetime-s", "60")
    try:
        token = _first(simulator, "access_token")
        assert user_info(simulator, token)["error"]["code"] == "ok"
        simulator.advance(60)
        assert user_info(simulator, token)["error"]["code"] == "access_token_invalid"
    finally:
        simulator.stop()


def test_a_published_video_is_in_the_list(simulator: Simulator) -> None:
    simulator.switch(processing_s=0, link_s=0)
    publish(simulator)
    publish(simulator, "SELF_ONLY")

    answer = requests.post(
        f"{simulator.api}/v2/video/list/?fields=id,title",
        json={"max_count": 20},
        headers={"Authorization": f"Bearer {_first(simulator, 'access_token')}"},
        timeout=DEADLINE_S,
    ).json()

    (public, _) = simulator.posts()
    assert answer["data"]["videos"] == [{"id": public["post_id"], "title": "Sunset"}]


def _events(receiver: Receiver) -> list[tuple[str, dict[str, Any]]]:
    envelopes = [json.loads(body) for _, _, body in receiver.received]
    return [(one["event"], json.loads(one["content"])) for one in envelopes]


def _wait_for(receiver: Receiver, count: int) -> None:
    condition: Callable[[], object] = lambda: len(receiver.received) >= count  # noqa: E731
    wait_until(condition, f"{count} webhooks came, not {len(receiver.received)}")


def test_webhooks_are_signed_and_sent_until_they_are_accepted(
    simulator: Simulator, receiver: Receiver
) -> None:
    receiver.statuses = [500, 503]
    simulator.steer("/webhooks", url=f"{receiver.url}/hook?x=1", retry_s=0.05, duplicates=1)
    simulator.switch(processing_s=0, link_s=3600)

    publish_id = publish(simulator)

    _wait_for(receiver, 4)
    content = {"publish_id": publish_id, "publish_type": "DIRECT_PUBLISH"}
    assert _events(receiver) == [("post.publish.complete", content)] * 4
    for path, headers, body in receiver.received:
        assert path == "/hook?x=1"
        second, signature = (part[2:] for part in headers["tiktok-signature"].split(","))
        message = f"{second}.".encode() + body
        key = simulator.client_secret.encode()
        assert hmac.new(key, message, hashlib.sha256).hexdigest() == signature

    simulator.advance(3600)
    _wait_for(receiver, 6)
    event, content = _events(receiver)[-1]
    (post,) = simulator.posts()
    assert (event, content["post_id"]) == ("post.publish.publicly_available", post["post_id"])


def test_out_of_order_the_link_comes_before_the_post(
    simulator: Simulator, receiver: Receiver
) -> None:
    simulator.steer("/webhooks", url=receiver.url, is_reordered=True)
    simulator.switch(processing_s=0, link_s=0)

    publish(simulator)

    _wait_for(receiver, 2)
    assert [event for event, _ in _events(receiver)] == [
        "post.publish.publicly_available",
        "post.publish.complete",
    ]


def test_a_removed_authorization_fails_what_is_under_way_and_says_so(
    simulator: Simulator, receiver: Receiver
) -> None:
    simulator.send_webhooks_to(receiver.url)
    publish_id = publish(simulator)

    simulator.steer("/accounts/aurora.kitchen", remove_authorization=1)

    _wait_for(receiver, 2)
    failed, removed = _events(receiver)
    assert failed[1] == {
        "publish_id": publish_id,
        "reason": "auth_removed",
        "publish_type": "DIRECT_PUBLISH",
    }
    assert removed == ("authorization.removed", {"reason": 1})
    assert simulator.posts() == []


def _first(simulator: Simulator, name: str) -> str:
    return simulator.accounts[0][name]
