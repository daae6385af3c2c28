from __future__ import annotations

import pytest
from fastapi import Depends, FastAPI, Request
from starlette.responses import JSONResponse

from reelflow.api.auth import Guard, bearer_token
from reelflow.api.errors import add_error_handlers
from reelflow.domain.user import User
from tests.known_users import ANNA, CARL, ROOT, KnownUsers
from tests.unit.reelflow.api.conftest import Web


@pytest.fixture
def guarded() -> Web:
    """Three routes that say who asks, each for another scope."""
    guard = Guard(KnownUsers())
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/reelflow/api/v1/reader")
    def read(user: User = Depends(guard.reader)) -> JSONResponse:
        return JSONResponse(user.id)

    @app.get("/reelflow/api/v1/writer")
    def write(user: User = Depends(guard.writer)) -> JSONResponse:
        return JSONResponse(user.id)

    @app.get("/reelflow/api/v1/admin")
    def rule(user: User = Depends(guard.admin)) -> JSONResponse:
        return JSONResponse(user.id)

    return Web(app)


@pytest.mark.parametrize("path", ["/reader", "/writer", "/admin"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody"}])
def test_who_is_not_known_is_asked_to_log_in(
    guarded: Web, path: str, headers: dict[str, str]
) -> None:
    answer = guarded.get(path, headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("headers", "path", "user_id"),
    [
        (CARL, "/reader", "carl"),
        (ANNA, "/reader", "anna"),
        (ANNA, "/writer", "anna"),
        (ROOT, "/writer", "root"),
        (ROOT, "/admin", "root"),
    ],
)
def test_who_may_is_let_in(guarded: Web, headers: dict[str, str], path: str, user_id: str) -> None:
    answer = guarded.get(path, headers=headers)
    assert (answer.status_code, answer.json()) == (200, user_id)


@pytest.mark.parametrize(
    ("headers", "path", "scope"),
    [(CARL, "/writer", "write"), (CARL, "/admin", "admin"), (ANNA, "/admin", "admin")],
)
def test_who_may_not_is_told_which_scope_it_takes(
    guarded: Web, headers: dict[str, str], path: str, scope: str
) -> None:
    answer = guarded.get(path, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["reason"] == "scope_missing"
    assert answer.json()["details"] == {"scope": scope}


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        ("", None),
    ],
)
def test_a_token_is_what_follows_bearer(header: str, token: str | None) -> None:
    scope = {"type": "http", "headers": [(b"authorization", header.encode())]}
    assert bearer_token(Request(scope)) == token
