"""The API inside of a real API server of Airflow's: its users, its login, and its own routes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt
import psutil
import pytest
import requests

from reelflow.api.intake import API_PATH
from reelflow.ledger import batches
from reelflow.ledger.engine import open_engine, upgrade
from tests import factories
from tests.integration.airflow_server import DEADLINE_S, AirflowServer
from tests.integration.intake_server import (
    ON_BOTH_SERVERS,
    IntakeServer,
    headers_of,
    local_settings,
    open_workspace,
)
from tests.integration.plugin_server import PluginServer
from tests.integration.raw_body import RawBody
from tests.integration.simulator_process import Simulator
from tests.media_files import h264_mp4

CHUNK_BYTES: Final = 5 * 1024 * 1024
#: What nobody has to log in for.
OPEN_PATHS: Final = frozenset({"/api/v1/health"})


@pytest.fixture
def plugin(plugin_server: PluginServer) -> IntakeServer:
    return plugin_server.fresh()


@pytest.fixture
def airflow(plugin: IntakeServer) -> AirflowServer:
    assert isinstance(plugin.process, AirflowServer)
    return plugin.process


def ask(plugin: IntakeServer, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, plugin.api + path, timeout=DEADLINE_S, **options)


def as_user(key: str, **headers: str) -> dict[str, str]:
    return {**headers_of(key), **{name.replace("_", "-"): value for name, value in headers.items()}}


def refusal(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.05)


def operations(plugin: IntakeServer) -> list[tuple[str, str]]:
    """Return method and path of each route, with something in place of its parameters."""
    schema = ask(plugin, "GET", "/openapi.json").json()
    return [
        (method.upper(), path.removeprefix("/api/v1").replace("{", "").replace("}", ""))
        for path, item in schema["paths"].items()
        if path not in OPEN_PATHS
        for method in item
    ]


def open_upload(plugin: IntakeServer, size_bytes: int = CHUNK_BYTES, **fields: Any) -> str:
    """Begin an upload of Anna's."""
    wanted = {"file_name": "clip.mp4", "file_size": size_bytes, "content_type": "video/mp4"}
    wanted |= {"media_type": "video", "chunk_size": CHUNK_BYTES, **fields}
    answer = ask(plugin, "POST", "/media/upload/init", json=wanted, headers=headers_of(plugin.anna))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["upload_id"])


class TestLogin:
    def test_every_route_wants_a_user(self, plugin: IntakeServer) -> None:
        found = operations(plugin)
        assert len(found) > 20
        for method, path in found:
            answer = ask(plugin, method, path)
            assert answer.status_code == 401, (method, path, answer.text)
            assert answer.headers["www-authenticate"] == "Bearer"

    def test_roles_decide_what_a_user_may_do(
        self, plugin: IntakeServer, airflow: AirflowServer
    ) -> None:
        tries = {
            "read": ("GET", "/posts"),
            "write": ("POST", "/posts"),
            "admin": ("POST", "/media/cleanup/expired"),
        }
        may = {"carl": {"read"}, "anna": {"read", "write"}, "otto": set(tries), "root": set(tries)}
        for user, scopes in may.items():
            headers = headers_of(airflow.token(user))
            answers = {
                scope: ask(plugin, *asked, headers=headers, json={})
                for scope, asked in tries.items()
            }
            refused = {
                scope for scope, answer in answers.items() if refusal_or_none(answer) is not None
            }
            assert refused == set(tries) - scopes, user

    def test_what_a_user_uploads_is_that_users(self, plugin: IntakeServer) -> None:
        path = f"/media/upload/{open_upload(plugin)}/status"
        answers = {
            name: ask(plugin, "GET", path, headers=headers_of(getattr(plugin, name))).status_code
            for name in ("anna", "ben", "carl", "root")
        }
        assert answers == {"anna": 200, "ben": 404, "carl": 404, "root": 200}

    @pytest.mark.parametrize("token", ["x", "rfk_0123456789ab_" + "x" * 43, "a.b.c", "é"])
    def test_what_is_no_token_of_airflow_is_401(self, plugin: IntakeServer, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}".encode()}
        answer = ask(plugin, "GET", "/posts", headers=headers)
        assert refusal(answer) == (401, "unauthenticated")

    def test_a_token_of_another_airflow_or_time_is_401(self, plugin: IntakeServer) -> None:
        claims = jwt.decode(plugin.root, options={"verify_signature": False})
        forged = jwt.encode(claims, "x" * 64, algorithm="HS512")
        unsigned = jwt.encode(claims, None, algorithm="none")
        for token in (forged, unsigned):
            answer = ask(plugin, "GET", "/posts", headers=headers_of(token))
            assert refusal(answer) == (401, "unauthenticated")

    def test_an_expired_token_is_401(self, plugin: IntakeServer, airflow: AirflowServer) -> None:
        claims = jwt.decode(plugin.root, options={"verify_signature": False})
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
        for since, status in ((timedelta(hours=2), 200), (timedelta(0), 401)):
            until = {"exp": int((an_hour_ago + since).timestamp())}
            token = jwt.encode(claims | until, airflow.jwt_secret, algorithm="HS512")
            answer = ask(plugin, "GET", "/posts", headers=headers_of(token))
            assert answer.status_code == status, answer.text

    def test_who_logged_out_is_out(self, plugin: IntakeServer, airflow: AirflowServer) -> None:
        headers = headers_of(airflow.token("ben"))
        assert ask(plugin, "GET", "/posts", headers=headers).status_code == 200
        requests.get(
            f"{airflow.address}/api/v2/auth/logout",
            headers=headers,
            allow_redirects=False,
            timeout=DEADLINE_S,
        )
        assert ask(plugin, "GET", "/posts", headers=headers).status_code == 401


class TestCookie:
    def test_it_is_enough_to_read(self, plugin: IntakeServer) -> None:
        answer = ask(plugin, "GET", "/posts", cookies={"_token": plugin.anna})
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_no_other_page_can_use_it(self, plugin: IntakeServer, headers: dict[str, str]) -> None:
        cookies = {"_token": plugin.root}
        for method, path in operations(plugin):
            if method in ("GET", "HEAD"):
                continue
            answer = ask(plugin, method, path, headers=headers, cookies=cookies)
            assert answer.status_code == 403, (method, path, answer.text)
            assert "page" in answer.text

    def test_a_page_of_the_server_can_use_it(
        self, plugin: IntakeServer, airflow: AirflowServer
    ) -> None:
        for headers in ({"Origin": airflow.address}, {"Sec-Fetch-Site": "same-origin"}):
            answer = ask(
                plugin,
                "POST",
                "/media/cleanup/expired",
                headers=headers,
                cookies={"_token": plugin.root},
            )
            assert answer.status_code == 200, answer.text

    def test_a_bearer_token_wins_and_may_come_from_any_page(self, plugin: IntakeServer) -> None:
        headers = as_user(plugin.anna, Origin="https://evil.example")
        answer = ask(
            plugin,
            "POST",
            "/media/cleanup/expired",
            headers=headers,
            cookies={"_token": plugin.root},
        )
        assert refusal(answer) == (403, "scope_missing")


class TestMount:
    def test_the_schema_and_its_page_are_for_everybody(self, plugin: IntakeServer) -> None:
        schema = ask(plugin, "GET", "/openapi.json").json()
        assert schema["servers"] == [{"url": "/reelflow"}]
        assert "/api/v1/media/upload/init" in schema["paths"]
        page = ask(plugin, "GET", "/docs")
        assert page.headers["content-type"].startswith("text/html")
        assert "/media/upload/init" in page.text

    def test_airflows_menu_leads_to_the_page(
        self, plugin: IntakeServer, airflow: AirflowServer
    ) -> None:
        listed = requests.get(
            f"{airflow.address}/api/v2/plugins",
            headers=headers_of(plugin.root),
            timeout=DEADLINE_S,
        ).json()
        (ours,) = (one for one in listed["plugins"] if one["name"] == "reelflow")
        (view,) = ours["external_views"]
        assert (view["destination"], view["category"]) == ("nav", "docs")
        page = requests.get(f"{airflow.address}/{view['href']}", timeout=DEADLINE_S)
        assert "Reelflow API" in page.text

    @pytest.mark.parametrize(
        "path", ["/webhooks/tiktok", "/oauth/callback", "/public/media/1/2/3/a.mp4"]
    )
    def test_what_strangers_reach_is_on_the_other_server_alone(
        self, plugin: IntakeServer, path: str
    ) -> None:
        # Routes that forget that they are mounted lie below the mount with their whole path.
        doubled = f"{plugin.process.address}/reelflow{API_PATH}{path}"
        for method in ("GET", "POST"):
            for address in (plugin.api + path, doubled):
                answer = requests.request(method, address, timeout=DEADLINE_S)
                assert refusal(answer) == (404, "not_found"), (method, address)

    def test_nothing_is_guessed_cached_or_framed(self, plugin: IntakeServer) -> None:
        for path in ("/health", "/posts", "/docs"):
            headers = ask(plugin, "GET", path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]

    def test_the_server_starts_no_process(
        self, plugin: IntakeServer, airflow: AirflowServer
    ) -> None:
        assert ask(plugin, "GET", "/health").status_code == 200
        assert psutil.Process(airflow.process.pid).children(recursive=True) == []

    @pytest.mark.usefixtures("simulator")
    @pytest.mark.parametrize("serving", ["plugin"], indirect=True)
    def test_creators_are_asked_by_the_connection_that_airflow_has_now(
        self, serving: IntakeServer, simulator: Simulator
    ) -> None:
        creator = simulator.accounts[0]
        factories.make_account(
            serving.workspace,
            "aurora",
            open_id=creator["open_id"],
            access_token=creator["access_token"],
        )
        headers = headers_of(serving.carl)
        (account,) = ask(serving, "GET", "/accounts", headers=headers).json()["accounts"]
        assert account["creator_error"] is None
        assert account["creator"]["privacy_level_options"]
        assert isinstance(serving.process, AirflowServer)
        serving.process.connect(None)
        (account,) = ask(serving, "GET", "/accounts", headers=headers).json()["accounts"]
        assert account["creator"] is None


class TestBodies:
    #: More than a connection holds: who could send most of it has a reader.
    BODY_BYTES: Final = 16 * 1024 * 1024

    def test_two_are_taken_at_once_of_two_users_and_airflow_answers_beside_them(
        self, plugin: IntakeServer, airflow: AirflowServer
    ) -> None:
        size_bytes = self.BODY_BYTES
        upload_id = open_upload(plugin, 4 * size_bytes, chunk_size=size_bytes)
        path = f"/media/upload/{upload_id}"
        headers = as_user(plugin.anna, Content_Type="application/octet-stream")
        content = bytes(size_bytes)
        begun: list[RawBody] = []

        def begin(key: str) -> RawBody:
            url = f"{plugin.api}{path}/chunks/{len(begun)}"
            begun.append(RawBody(url, headers | headers_of(key), size_bytes))
            return begun[-1]

        def assert_busy(body: RawBody) -> None:
            refused = body.answer()
            assert (refused.status, json.load(refused)["reason"]) == (503, "busy")
            assert int(refused.headers["retry-after"]) > 0

        try:
            begin(plugin.anna).send(content[:-1])
            assert_busy(begin(plugin.anna))
            begin(plugin.root).send(content[:-1])
            assert_busy(begin(plugin.root))
            own = requests.get(f"{airflow.address}/api/v2/version", timeout=DEADLINE_S)
            assert own.status_code == 200
            assert ask(plugin, "GET", f"{path}/status", headers=headers).status_code == 200
        finally:
            for body in begun:
                body.close()

        def is_taken() -> bool:
            """Send a chunk whose body had stopped once more."""
            try:
                sent = ask(plugin, "PUT", f"{path}/chunks/0", data=content, headers=headers)
            except requests.ConnectionError:  # it was refused before it was sent
                return False
            return sent.status_code == 200

        wait_for(is_taken)
        status = ask(plugin, "GET", f"{path}/status", headers=headers).json()
        assert status["received"] == [[0, 0]]


@ON_BOTH_SERVERS
def test_a_video_in_chunks_becomes_a_post_that_leads_to_its_run(serving: IntakeServer) -> None:
    factories.make_account(serving.workspace, "aurora")
    content = h264_mp4().read_bytes()
    headers = headers_of(serving.anna)
    wish = {"account": "aurora", "caption": "From dawn to dusk", "privacy_level": "SELF_ONLY"}
    path = f"/media/upload/{open_upload(serving, len(content), post=wish)}"
    raw = {**headers, "Content-Type": "application/octet-stream"}
    ask(serving, "PUT", f"{path}/chunks/0", data=content, headers=raw).raise_for_status()
    answer = ask(serving, "POST", f"{path}/finalize", json={}, headers=headers)
    assert answer.status_code == 201, answer.text
    media, post = answer.json()["media"], answer.json()["post"]
    assert ask_link(serving, media["links"]["self"], headers).status_code == 200
    stored = serving.workspace.folders.store
    (key,) = (found.key for found in stored.list("media"))
    with stored.open(key) as source:
        assert source.read_at(0, len(content) + 1) == content

    with serving.workspace.ledger.write() as session:
        batches.append(
            session,
            "scheduled__2026-11-22T00:00:00+00:00",
            [post["post_id"]],
            now=datetime.now(UTC),
        )
    links = ask(serving, "GET", f"/posts/{post['post_id']}", headers=headers).json()["links"]
    assert ask_link(serving, links["self"], headers).json()["post_id"] == post["post_id"]
    run = None
    if isinstance(serving.process, AirflowServer):
        run = (
            f"{serving.process.address}/dags/publish_to_tiktok/runs/"
            "scheduled__2026-11-22T00%3A00%3A00%2B00%3A00"
        )
    assert links["run"] == run


def ask_link(server: IntakeServer, link: str, headers: dict[str, str]) -> requests.Response:
    return requests.get(server.process.address + link, headers=headers, timeout=DEADLINE_S)


def refusal_or_none(answer: requests.Response) -> str | None:
    """Return why the user may not do it; None where something else is wrong, or nothing."""
    return answer.json()["reason"] if answer.status_code == 403 else None


class TestSetUp:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> dict[str, str]:
        """A ledger that nobody has made yet."""
        return local_settings(tmp_path, f"sqlite:///{tmp_path}/reelflow.db")

    @pytest.fixture
    def workers(self, settings: dict[str, str]) -> Iterator[AirflowServer]:
        """Two processes that answer in turn."""
        server = AirflowServer(settings, workers=2)
        try:
            yield server
        finally:
            server.kill()

    def test_it_works_as_soon_as_the_ledger_is_there_in_every_process(
        self, workers: AirflowServer, settings: dict[str, str]
    ) -> None:
        refused = requests.get(f"{workers.api}/posts", timeout=DEADLINE_S)
        assert refusal(refused) == (503, "not_set_up")
        assert "ledger_not_migrated" in refused.json()["message"]
        assert settings["REELFLOW_HOME"] not in refused.text
        own = requests.get(f"{workers.address}/api/v2/version", timeout=DEADLINE_S)
        assert own.status_code == 200
        assert "reelflow db upgrade" in workers.log()

        upgrade(open_engine(settings["REELFLOW_DATABASE_URL"]))
        healthy = [0]

        def is_healthy_everywhere() -> bool:
            answer = requests.get(f"{workers.api}/health", timeout=DEADLINE_S)
            healthy[0] = healthy[0] + 1 if answer.status_code == 200 else 0
            return healthy[0] == 20

        wait_for(is_healthy_everywhere)
        self._upload_in_turn(workers, settings)

    def _upload_in_turn(self, workers: AirflowServer, settings: dict[str, str]) -> None:
        """Send a file's chunks to whichever process takes them."""
        key = workers.token("anna")
        server = IntakeServer(
            workers,
            Path(settings["REELFLOW_HOME"]),
            settings,
            open_workspace(settings),
            *[key] * 4,
        )
        content = h264_mp4().read_bytes().ljust(4 * CHUNK_BYTES, b"\0")
        path = f"/media/upload/{open_upload(server, len(content))}"
        raw = as_user(key, Content_Type="application/octet-stream")
        for index in range(4):
            chunk = content[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
            sent = ask(server, "PUT", f"{path}/chunks/{index}", data=chunk, headers=raw)
            assert sent.status_code == 200, sent.text
        assert ask(server, "GET", f"{path}/status", headers=raw).json()["missing"] == []

    def test_where_everybody_is_admin_nobody_is_let_in(self, tmp_path: Path) -> None:
        settings = local_settings(tmp_path, factories.migrated_sqlite(tmp_path))
        open_house = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"}
        server = AirflowServer(settings | open_house, below="/team/airflow")
        try:
            # Airflow itself is open.
            own = requests.get(f"{server.address}/api/v2/dags", timeout=DEADLINE_S)
            assert own.status_code == 200
            assert requests.get(f"{server.api}/health", timeout=DEADLINE_S).status_code == 200
            for headers in ({}, headers_of(server.token("root"))):
                answer = requests.get(f"{server.api}/posts", headers=headers, timeout=DEADLINE_S)
                assert refusal(answer) == (403, "everybody_is_admin")
        finally:
            server.kill()
