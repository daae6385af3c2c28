"""The envelope in which the dashboard's routes tell of errors, and of what was undone.

``{error_code, error_message, details, cleanup_performed, cleanup_details, timestamp}``. The status
is one of few: 400 for whatever is wrong with what was sent, 404, 429 and 500; and 401, 403, 405,
411 and 503 ``busy``, with which nothing was begun.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from reelflow.api.errors import ANSWERS, ErrorResponse
from reelflow.services.uploads.dashboard.sessions import CleanUp

log = logging.getLogger(__name__)

_KEPT_STATUSES: Final = frozenset({400, 401, 403, 404, 405, 411, 429, 500})
_BUSY: Final = "busy"


class Envelope(BaseModel):
    """An error of the dashboard, as the schema tells of it."""

    error_code: str = Field(description="stable slug")
    error_message: str = Field(description="what is wrong and what to do")
    details: dict[str, Any]
    cleanup_performed: bool = Field(description="whether something was undone")
    cleanup_details: dict[str, Any] = Field(
        description="session_closed, row_deleted, object_deleted (null where nothing was stored; "
        "false: a sweep deletes it)"
    )
    timestamp: datetime


class UploadFailedError(Exception):
    """An upload that failed after it began.

    :param cause: what it failed of
    :param clean_up: what was undone then; None where that failed, too, and is left to a sweep
    """

    def __init__(self, cause: Exception, clean_up: CleanUp | None) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.clean_up = clean_up


class EnvelopeRoute(APIRoute):
    """A route whose every error comes in the envelope."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def answer_in_envelope(request: Request) -> Response:
            try:
                return await answer(request)
            except UploadFailedError as error:
                return _in_envelope(_plain(request, error.cause), error.clean_up)
            except Exception as error:  # noqa: BLE001 - all errors have one shape, ours too
                return _in_envelope(_plain(request, error), CleanUp())

        return answer_in_envelope


def add_envelope_handler(app: FastAPI, path: str) -> None:
    """Let an address that is none, or takes another method, be answered in the envelope, too.

    :param path: below which all addresses are the dashboard's
    """

    def answer(request: Request, error: Exception) -> ErrorResponse:
        plain = ANSWERS[HTTPException](request, error)
        asked = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        return _in_envelope(plain, CleanUp()) if f"{asked}/".startswith(f"{path}/") else plain

    app.add_exception_handler(HTTPException, answer)


def envelope_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what a route says of its errors in the schema."""
    return {
        status: {"model": Envelope, "description": _DESCRIPTIONS[status]} for status in statuses
    }


def _in_envelope(plain: ErrorResponse, clean_up: CleanUp | None) -> ErrorResponse:
    """Put an answer into the envelope.

    :param clean_up: what was undone; None where that failed
    """
    told = json.loads(bytes(plain.body))
    performed = clean_up is not None and clean_up.was_needed
    done = clean_up or CleanUp(object_deleted=False)
    envelope = {
        "error_code": told["reason"],
        "error_message": told["message"],
        "details": told["details"],
        "cleanup_performed": performed,
        "cleanup_details": dataclasses.asdict(done),
        "timestamp": datetime.now(UTC).isoformat(),
    }
    plain.status_code = _status(plain.status_code, told["reason"])
    # In ASCII, because it may quote what no other encoding has.
    plain.body = json.dumps(envelope).encode()
    plain.headers["content-length"] = str(len(plain.body))
    return plain


def _plain(request: Request, error: Exception) -> ErrorResponse:
    """Return the answer that another route would give to an error."""
    kind = next(kind for kind in type(error).__mro__ if kind in ANSWERS)
    if kind is Exception:
        log.exception("%s %s", request.method, request.scope["route"].path, exc_info=error)
    return ANSWERS[kind](request, error)


def _status(status: int, code: str) -> int:
    if status in _KEPT_STATUSES or code == _BUSY:
        return status
    return 400 if status < 500 else 500


_DESCRIPTIONS: Final[dict[int, str]] = {
    400: "What was sent is wrong; the session has ended",
    401: "No user is known by what was sent",
    403: "The user may not do this",
    404: "There is no such thing, it is somebody else's, or its time is over",
    411: "The length of the body must be declared; nothing was begun",
    429: "The user's quota is used up, and the session has ended; or too many sessions are open",
    500: "Reelflow failed; nothing is left of the upload",
    503: "Too many files are being taken in: try again in a moment; nothing was begun",
}
