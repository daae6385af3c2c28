from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel

from reelflow.api import limits
from reelflow.api.errors import add_error_handlers
from reelflow.api.limits import (
    ADDRESS_MAX_BYTES,
    BODY_MAX_BYTES,
    HEADERS_MAX_BYTES,
    RequestLimits,
    lift_body_limit,
)
from tests.unit.reelflow.api.conftest import Web


class Anything(BaseModel):
    text: str


@pytest.fixture
def limited() -> Web:
    app = FastAPI()
    add_error_handlers(app)
    app.add_middleware(RequestLimits)

    @app.post("/reelflow/api/v1/json")
    def parse(body: Anything) -> int:
        return len(body.text)

    @app.post("/reelflow/api/v1/raw")
    async def read(request: Request) -> int:
        return len(await request.body())

    @app.post("/reelflow/api/v1/file")
    async def stream(request: Request) -> int:
        lift_body_limit(request)
        return sum([len(part) async for part in request.stream()])

    @app.get("/reelflow/api/v1/nothing")
    def nothing() -> None:
        """Take nothing."""

    return Web(app)


async def in_parts(size_bytes: int) -> AsyncIterator[bytes]:
    """A body whose length is not declared."""
    while size_bytes > 0:
        yield b"x" * min(size_bytes, 64 * 1024)
        size_bytes -= 64 * 1024


JSON = {"Content-Type": "application/json"}
LARGEST = b'{"text":"%s"}'


def json_of(size_bytes: int) -> bytes:
    return LARGEST % (b"x" * (size_bytes - len(LARGEST % b"")))


def test_a_body_may_have_a_mebibyte(limited: Web) -> None:
    assert limited.post("/json", content=json_of(BODY_MAX_BYTES), headers=JSON).status_code == 200
    assert limited.post("/raw", content=in_parts(BODY_MAX_BYTES)).json() == BODY_MAX_BYTES


@pytest.mark.parametrize("path", ["/json", "/raw"])
@pytest.mark.parametrize("kind", ["application/json", "video/mp4", ""])
@pytest.mark.parametrize("is_declared", [True, False])
def test_a_larger_body_is_refused_whatever_it_says_it_is(
    limited: Web, path: str, kind: str, is_declared: bool
) -> None:
    size_bytes = BODY_MAX_BYTES + 1
    content = json_of(size_bytes) if is_declared else in_parts(size_bytes)
    answer = limited.post(path, content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["reason"]) == (413, "body_too_large")
    assert answer.headers["connection"] == "close"


def test_a_route_that_takes_files_sets_its_own_limit(limited: Web) -> None:
    answer = limited.post("/file", content=in_parts(5 * BODY_MAX_BYTES))
    assert answer.json() == 5 * BODY_MAX_BYTES


def test_a_body_that_does_not_come_is_given_up(
    limited: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_BODY_TIMEOUT_S", 0.05)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    answer = limited.post("/json", content=stuck(), headers=JSON)
    assert (answer.status_code, answer.json()["reason"]) == (408, "body_too_slow")


def test_headers_have_a_limit(limited: Web) -> None:
    fits = {"X-Long": "x" * (HEADERS_MAX_BYTES - 1000)}
    assert limited.get("/nothing", headers=fits).status_code == 200
    many = {f"X-{number}": "x" * 1000 for number in range(HEADERS_MAX_BYTES // 1000 + 1)}
    answer = limited.get("/nothing", headers=many)
    assert (answer.status_code, answer.json()["reason"]) == (431, "headers_too_large")


def test_an_address_has_a_limit(limited: Web) -> None:
    fits = {"q": "x" * (ADDRESS_MAX_BYTES - 100)}
    assert limited.get("/nothing", params=fits).status_code == 200
    for path in (f"/nothing?q={'x' * ADDRESS_MAX_BYTES}", f"/{'x' * ADDRESS_MAX_BYTES}"):
        answer = limited.get(path)
        assert (answer.status_code, answer.json()["reason"]) == (414, "address_too_long")


def test_a_body_of_two_lengths_is_refused_and_not_read(limited: Web) -> None:
    both = {"Content-Length": "4", "Transfer-Encoding": "chunked"}
    answer = limited.post("/raw", content=b"body", headers=both)
    assert (answer.status_code, answer.json()["reason"]) == (400, "ambiguous_length")
    assert answer.headers["connection"] == "close"


def test_without_the_middleware_there_is_nothing_to_lift() -> None:
    lift_body_limit(Request({"type": "http", "headers": []}))
