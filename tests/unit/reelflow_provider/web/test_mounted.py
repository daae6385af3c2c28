"""The mounted application: put together once, when somebody asks; tried again if that failed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message

from reelflow.exceptions import ConfigurationError, LedgerNotMigratedError
from reelflow_provider.web.mounted import MountedApp

SECRET = "postgresql://user:password@database.internal"


async def tell_paths(request: Request) -> JSONResponse:
    return JSONResponse({"path": request.url.path, "root_path": request.scope["root_path"]})


WORKING = Starlette(routes=[Route("/api/v1/thing", tell_paths)])


class Builder:
    """Builds an application as the list of outcomes says, one each time.

    :ivar built: how often it was asked to
    """

    def __init__(self, *outcomes: ASGIApp | Exception) -> None:
        self._outcomes = list(outcomes)
        self.built = 0

    def __call__(self) -> ASGIApp:
        self.built += 1
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Airflow:
    """An application that has it mounted, as Airflow has."""

    def __init__(self, build: Callable[[], ASGIApp], **options: Any) -> None:
        self.app = Starlette(routes=[Mount("/reelflow", MountedApp(build, **options))])

    def get(self, path: str) -> httpx.Response:
        return self.together("GET", path)[0]

    def together(self, method: str, *paths: str) -> list[httpx.Response]:
        """Ask for several paths at once."""

        async def ask() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://web.test") as client:
                return await asyncio.gather(*(client.request(method, path) for path in paths))

        return asyncio.run(ask())


def test_nothing_is_built_before_the_first_request() -> None:
    builder = Builder(WORKING)
    Airflow(builder)
    assert builder.built == 0


def test_it_is_built_once_and_answers_below_where_it_is_mounted() -> None:
    builder = Builder(WORKING)
    airflow = Airflow(builder)
    for _ in range(2):
        answer = airflow.get("/reelflow/api/v1/thing")
        assert answer.json() == {"path": "/reelflow/api/v1/thing", "root_path": "/reelflow"}
    assert builder.built == 1


def test_requests_that_come_together_build_it_once_and_hold_up_nobody() -> None:
    builder = Builder(WORKING)
    others_were_answered = threading.Event()

    def build_slowly() -> ASGIApp:
        assert others_were_answered.wait(30)
        return builder()

    async def answer_others(_: Request) -> JSONResponse:
        others_were_answered.set()
        return JSONResponse({})

    airflow = Airflow(build_slowly)
    airflow.app.routes.append(Route("/others", answer_others))
    answers = airflow.together("GET", *["/reelflow/api/v1/thing"] * 5, "/others")
    assert [answer.status_code for answer in answers] == [200] * 6
    assert builder.built == 1


def test_what_is_not_set_up_is_answered_with_503_and_no_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    airflow = Airflow(Builder(ConfigurationError(f"no database at {SECRET}", code="settings")))
    (answer,) = airflow.together("POST", "/reelflow/api/v1/thing")
    assert answer.status_code == 503
    body = answer.json()
    assert (body["reason"], body["details"]) == ("not_set_up", {})
    assert "(settings)" in body["message"]
    assert SECRET not in answer.text
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["connection"] == "close"
    assert answer.headers["cache-control"] == "no-store"
    assert SECRET in caplog.text


def test_a_mistake_of_ours_is_answered_the_same_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    airflow = Airflow(Builder(ZeroDivisionError(SECRET)))
    answer = airflow.get("/reelflow/api/v1/thing")
    assert (answer.status_code, answer.json()["reason"]) == (503, "not_set_up")
    assert SECRET not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_it_is_not_tried_again_for_a_while() -> None:
    builder = Builder(LedgerNotMigratedError("run `reelflow db upgrade`"), WORKING)
    airflow = Airflow(builder, pause_s=3600)
    for _ in range(3):
        assert airflow.get("/reelflow/api/v1/thing").status_code == 503
    assert builder.built == 1


def test_it_works_as_soon_as_what_was_missing_is_there() -> None:
    builder = Builder(LedgerNotMigratedError("run `reelflow db upgrade`"), WORKING)
    airflow = Airflow(builder, pause_s=0.0)
    assert airflow.get("/reelflow/api/v1/thing").status_code == 503
    assert airflow.get("/reelflow/api/v1/thing").status_code == 200


def test_a_websocket_is_closed_and_builds_nothing() -> None:
    builder = Builder(WORKING)
    sent: list[str] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    asyncio.run(MountedApp(builder)({"type": "websocket"}, receive, send))
    assert sent == ["websocket.close"]
    assert builder.built == 0
