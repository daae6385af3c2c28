"""The dashboard's envelope: every error in one shape, under one of few statuses."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.exceptions import HTTPException

from reelflow.api.dashboard_errors import Envelope, EnvelopeRoute, UploadFailedError
from reelflow.api.errors import ApiError, add_error_handlers
from reelflow.exceptions import (
    ConfigurationError,
    MediaRejectedError,
    QuotaExceededError,
    ReelflowError,
    StorageFullError,
    StorageUnavailableError,
    TerminalError,
)
from reelflow.services.uploads.dashboard.sessions import CleanUp
from tests.unit.reelflow.api.conftest import Web

VIOLATION = {"rule": "size", "value": "2", "limit": "1", "fix": "cut it"}


def ask(error: Exception | None, *, path: str = "/1") -> httpx.Response:
    """Ask a route that ends with an error."""
    router = APIRouter(route_class=EnvelopeRoute)

    @router.get("/reelflow/api/v1/{number}")
    def fail(request: Request, number: int) -> None:
        if error is not None:
            raise error

    app = FastAPI()
    add_error_handlers(app)
    app.include_router(router)
    return Web(app).get(path)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ApiError(401, "unauthenticated", "who?"), 401, "unauthenticated"),
        (ApiError(403, "scope_missing", "no"), 403, "scope_missing"),
        (ApiError(408, "body_too_slow", "slow"), 400, "body_too_slow"),
        (ApiError(413, "file_too_large", "large"), 400, "file_too_large"),
        (ApiError(415, "unsupported_media_type", "no form"), 400, "unsupported_media_type"),
        (ApiError(503, "busy", "wait"), 503, "busy"),
        (HTTPException(400), 400, "malformed_body"),
        (TerminalError("none", code="session_not_found"), 404, "session_not_found"),
        (TerminalError("is over", code="upload_expired"), 400, "upload_expired"),
        (MediaRejectedError("no", code="not_this_media", violations=[]), 400, "not_this_media"),
        (QuotaExceededError("spent", retry_after_s=60), 429, "quota_exceeded"),
        (StorageFullError("no room"), 500, "storage_full"),
        (StorageUnavailableError("10.0.0.7 is away"), 500, "unavailable"),
        (ConfigurationError("the password is secret"), 500, "internal"),
        (ValueError("a mistake of ours: secret"), 500, "internal"),
    ],
)
def test_an_error_has_the_envelope_and_one_of_few_statuses(
    error: Exception, status: int, code: str
) -> None:
    answer = ask(error)
    told = answer.json()
    assert (answer.status_code, told["error_code"]) == (status, code)
    assert set(told) == set(Envelope.model_fields)
    assert told["cleanup_performed"] is False
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "secret" not in answer.text
    assert "10.0.0.7" not in answer.text


def test_a_wrong_parameter_is_named() -> None:
    answer = ask(None, path="/one")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_request")
    assert answer.json()["details"]["fields"][0]["field"] == "path.number"


def test_headers_and_details_of_an_error_are_kept() -> None:
    answer = ask(QuotaExceededError("spent", retry_after_s=60, limit=5))
    assert (answer.headers["Retry-After"], answer.json()["details"]) == ("60", {"limit": 5})
    rejected = MediaRejectedError("no", code="not_this_media", violations=[VIOLATION])
    assert ask(rejected).json()["details"] == {"violations": [VIOLATION]}


@pytest.mark.parametrize(
    ("clean_up", "performed", "details"),
    [
        (
            CleanUp(session_closed=True, object_deleted=True),
            True,
            {"session_closed": True, "row_deleted": False, "object_deleted": True},
        ),
        (
            CleanUp(),
            False,
            {"session_closed": False, "row_deleted": False, "object_deleted": None},
        ),
        (
            None,
            False,
            {"session_closed": False, "row_deleted": False, "object_deleted": False},
        ),
    ],
)
def test_what_was_undone_is_told(
    clean_up: CleanUp | None, performed: bool, details: dict[str, Any]
) -> None:
    cause: ReelflowError = StorageUnavailableError("storage is away")
    told = ask(UploadFailedError(cause, clean_up)).json()
    assert told["error_code"] == "unavailable"
    assert (told["cleanup_performed"], told["cleanup_details"]) == (performed, details)


def test_mistakes_of_ours_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        ask(ValueError("a mistake of ours"))
    assert "a mistake of ours" in caplog.text


def test_an_answer_quotes_whatever_text_there_is() -> None:
    error = ApiError(400, "odd", "a lone surrogate", details={"name": "ä\ud800"})
    assert ask(error).json()["details"] == {"name": "ä\ud800"}
